"""Ended threads do not accumulate in the Step Functions interpreter."""

import gc
import sys
import threading
import weakref

from sagelocal.services.stepfunctions.interpreter import release_ended_threads


def test_ended_threads_of_the_interpreter_are_released() -> None:
    # GIVEN a module of the interpreter that keeps its threads in a list
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

    # THEN no list refers to the thread any more
    assert ended() is None
