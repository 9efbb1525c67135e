# The running system's own programs come first.
PATH=/run/current-system/sw/bin:$PATH
