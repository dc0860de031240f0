"""Measuring the speed of recurrent layers, beside the machine's limits and other libraries.

``cases`` says what is measured and ``operations`` what that needs; ``limits`` probes the machine;
``workload`` makes a case ready and ``check`` compares it with the equations before anything is
timed; ``peers`` talks to the other libraries; ``timing`` takes turns, ``intervals`` says what can
be concluded, ``figures`` holds it.  ``run`` puts them together; ``report``, ``compare`` and
``plot`` show the result.

``benchmarks/`` measures the same cases in the history of seqkit: it reads ``cases``,
``workload`` and ``timing`` as files, so they import nothing that other versions may lack.
"""
