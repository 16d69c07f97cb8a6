"""The task: what is to be learnt, how numbers are shown to a net, and on which points nets are tested."""
