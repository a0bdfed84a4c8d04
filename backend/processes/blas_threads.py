"""Keep BLAS from spreading thin matrices over all cores."""

from threadpoolctl import threadpool_limits


def limit_blas_threads() -> None:
    """Let each BLAS that is loaded so far compute in the calling thread, for the whole process.

    A linear head has some ten columns. Two BLAS threads gain nothing on such a matrix and wait for
    each other busily: on a machine with other work, a fit took 19 s instead of 1 s. The embedding
    threads, torch and ONNX Runtime have their own settings and are not affected.
    """
    threadpool_limits(limits=1, user_api="blas")
