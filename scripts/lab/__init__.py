"""Real nodes and workers as processes, driven and judged from outside.

    processes   children, and one thread that reads what they print
    node        a musterd that can be killed and started again
    network     hosts of their own (network namespaces) whose links can be cut
    faults      what was done to whom, and when
    views       what watchers were told, and the tables that follow from it
    judge       whether what was seen may be seen, given the faults
    fleet       the nodes, watchers, workers and notifiers of a soak
    storm       faults drawn from a seed
    progress    how far a long run is
    calm        what must hold at all nodes once faults have ended
"""
