"""Memory use of moto's Step Functions interpreter."""

import gc
import sys
import threading
import weakref

from sagelocal.services.stepfunctions.interpreter import release_ended_threads


def test_ended_threads_of_the_interpreter_are_released() -> None:
    # GIVEN a module of the interpreter that stores its threads in a list
    import moto.stepfunctions.parser.asl.component.program.program  # noqa: F401

    program = sys.modules["moto.stepfunctions.parser.asl.component.program.program"]
    release_ended_threads()

    # WHEN a thread ends
    thread = threading.Thread(target=int)
    program.TMP_THREADS.append(thread)
    thread.start()
    thread.join()
    ended = weakref.ref(thread)
    del thread
    gc.collect()

    # THEN it is no longer in memory
    assert ended() is None
