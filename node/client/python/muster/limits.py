"""The limits of the protocol (PROTOCOL.md, "Limits"), and the worker's own."""

FRAME = 1_048_576  # bytes of one message
GROUP_PART = 255  # bytes of a store or feature
NAME = 64  # bytes
SCOPE = 64  # bytes
ADDRESS = 255  # bytes
TEXT = 1024  # bytes
META_PAIRS = 16  # of one member
META_TEXT = 255  # bytes of one key or value
DATA = 524_288  # bytes of a notification's data
DATA_NESTING = 32  # levels of arrays and maps
LIST = 65_536  # elements of an array or map in a message
MEMBERS_A_CALL = 65_536  # members of one join or leave
WELCOME_NODES = 64  # addresses of other nodes

IN_FLIGHT = 1023  # requests sent and not answered; the protocol asks for fewer than 1024
IN_FLIGHT_BYTES = 64 << 20  # their frames
POSTS = 512  # posts not answered; half of IN_FLIGHT, so that posts leave room for other calls
POSTED_BYTES = 32 << 20  # their data
WAITING_CALLS = 65_536  # calls that wait to be sent; beyond it: overloaded
INBOX_BYTES = 64 << 20  # data taken and not handled
ANSWER_MEMBERS = 1 << 24  # members, or groups, in an answer or snapshot that comes in parts
