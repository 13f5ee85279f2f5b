"""Launch a training job, judge its model, register it. `container/` is what runs inside the containers."""
