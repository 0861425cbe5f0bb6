"""Runs real nodes and workers as processes, injects faults, and checks their output.

    processes   child processes, and one thread that reads their output
    node        a musterd that can be killed and restarted
    network     hosts as network namespaces, with links that can be cut
    faults      the timeline of injected faults
    views       the events that watchers printed, and the resulting tables
    judge       checks whether the faults explain each observation
    fleet       the nodes, watchers, workers and notifiers of a soak
    storm       faults drawn from a seed
    progress    progress of a long run
    poster      numbered notifications, and what became of them
    calm        checks at all nodes after the faults have ended
"""
