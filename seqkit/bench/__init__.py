"""Measuring the speed of recurrent layers, beside other libraries.

``cases`` says what is measured and how many operations it needs, ``workload`` makes it ready,
``check`` compares it with the equations before anything is timed, ``timing`` takes turns,
``peers`` talks to the other libraries, ``run`` puts them together.
"""
