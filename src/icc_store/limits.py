"""Every bound of the project, each with its reason. Sizes are bytes, times are seconds."""

from __future__ import annotations

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB

# --- blocks -----------------------------------------------------------------------------------
SOLID_FRAME_SIZE = 256 * KIB
"""Plain bytes gathered into one solid frame. Larger frames compress better and read slower (ADR 2)."""

DELTA_GROUP_SIZE = 128 * KIB
"""Plain bytes of neighbouring changed objects that share one delta frame."""

SMALL_BLOCK_SIZE = 2000
"""Stored bytes up to which LMDB packs several values into one page; larger ones take whole pages."""

SMALL_BLOCK_TARGET = 1320
"""Stored bytes that small blocks are filled up to: three of them fill a page."""

BLOCK_STORED_SIZE = 128 * KIB
"""Stored bytes of a block when there are many: half a page lost at its end is 1.6 %."""

DEFAULT_LEVEL = 3
"""zstd level of new content: what two cores compress as fast as one reads and hashes."""

NO_COMPRESSION = 0
"""In place of a zstd level: new content is stored as it is. Changed files are deltas all the same."""

MAX_OBJECT_SIZE = 16 * MIB
"""No object is larger: the largest chunk the chunker may cut, a tree part, or a list part."""

MAX_FRAME_SIZE = 32 * MIB
"""Plain bytes of a frame that a reader accepts: a bound against decompression bombs."""

MAX_WINDOW = 1 << (4 * MAX_FRAME_SIZE - 1).bit_length()
"""Bytes that a decompressor looks back at most: behind all bases of a frame. What says more is refused unread."""

MAX_SCANNED_BLOCK = 2 * MAX_FRAME_SIZE
"""Stored bytes of a block that salvage looks for. The largest that a writer makes is a frame and a little more."""

MAX_OBJECTS_PER_BLOCK = 32_767
"""Positions in a block have 16 bits in an index row; the top one is kept free."""

MAX_OBJECTS_PER_FRAME = 8192
"""Files of a few bytes would fill a frame with more objects than a block may have positions."""

MAX_BLOCK_NUMBER = (1 << 31) - 1
"""What an index row has room for."""

MAX_HEADER_FILE = MIB
"""Bytes of `repository.json` that are read; it has a few hundred."""

# --- delta ------------------------------------------------------------------------------------
MAX_DELTA_DEPTH = 32
MAX_READ_DEPTH = 64
"""A reader follows deeper chains than a writer makes, but not without end."""

MAX_PREFIX_SIZE = 4 * MAX_FRAME_SIZE
"""Plain bytes of all bases of one frame together. zstd's window reaches no farther; a writer stays below 32 MiB."""

MAX_CLOSURE_SIZE = 256 * MIB
"""Plain bytes that a reader decodes for one object, its bases' bases and all. A writer stays below 32 MiB; two bases of
each of 64 levels would be 2^64 frames."""

DELTA_COST_FACTOR = 8
DELTA_COST_FLOOR = 6 * MIB
"""A delta's whole closure may have max(8 x its plain size, 6 MiB) plain bytes: a frame of `optimize` and 2 MiB."""

MAX_BASES = 8
"""Old chunks that one new chunk is written against."""

DELTA_LEVEL = 7
LARGE_DELTA_LEVEL = 9
"""zstd levels of deltas. Below 7 a prefix of a few 100 KiB is searched badly; above 256 KiB it takes 9."""

DELTA_WORTH = 0.75
"""A delta is kept when it needs at most this share of what the object needs by itself."""

# --- what has become cold (ADR 23) ------------------------------------------------------------
COLD_LEVEL = 19
"""zstd level of what is written anew for size: 3 MB/s on one core, and read as fast as any other."""

COLD_FRAME_SIZE = 4 * MIB
"""Plain bytes of a frame: three milliseconds to decode, for each single file that is read."""

HISTORY_COST_FLOOR = 16 * MIB
"""Like DELTA_COST_FLOOR, for older versions: fifteen milliseconds."""

COLD_BLOCK_SIZE = 4 * MIB
"""Plain bytes of newest versions after which a block ends with the trees that name what is in it. Nearly half a
megabyte is stored of that, and as much is lost where a page is."""

COLD_BLOCK_LIMIT = 32 * MIB
"""Plain bytes, old versions and all, after which it ends without them; and of old versions of large files, which stand
apart behind it."""

COLD_BLOCK_OBJECTS = 16_384
"""Objects after which it ends with them as well."""

# --- content ----------------------------------------------------------------------------------
WHOLE_FILE_SIZE = 2 * MIB
"""Files up to this size are one chunk: a delta against the previous version beats chunks there (ADR 3)."""

LIST_FANOUT_MIN, LIST_FANOUT_MEAN, LIST_FANOUT_MAX = 128, 512, 2048
"""Entries per part of a content list."""

TREE_FANOUT_MIN, TREE_FANOUT_MEAN, TREE_FANOUT_MAX = 512, 2048, 8192
"""Entries per part of a directory's tree."""

MAX_PART_SIZE = 8 * MIB
"""Packed bytes of a part of a tree. Thousands of long link targets in one part are cut in half above that."""

MAX_TREE_DEPTH = 4096
"""Directories below each other: twice as many as a path has room for on Linux. Of deeper ones each keeps its path."""

MAX_TREE_LEVELS = 16
"""Nodes above each other in the tree of one directory; seven hold more names than there are bytes on any disk."""

MAX_PATHS = 1 << 32
"""Paths below one directory: no ext4 or XFS holds more files. Trees can stand for any number (model/extent.py)."""

INLINE_XATTRS = 256
"""A set of extended attributes above this packed size becomes an object of its own."""

MAX_LIST_LEVELS = 16
"""Lists above each other: with 128 entries in each, far more than any file needs."""

MAX_FILE_SIZE = (1 << 63) - 1
"""Bytes of a file: what a system has numbers for."""

MAX_NOTE = 64 * KIB
"""Characters of a note: a record is read with every list of snapshots."""

# --- transactions -----------------------------------------------------------------------------
BATCH_BYTES = 4 * MIB
"""Stored bytes per write transaction; bounds dirty pages and what a crash throws away. They are in memory four times
while they are committed: with 8 MiB a first snapshot of 100,000 files takes 20 MB more and is no faster."""

GC_IDS_TOGETHER = 8192
"""Ids that gc looks up at a time, in the order of the index; some 400 bytes each."""

READ_TXN_SECONDS = 1.0
READ_TXN_BYTES = 64 * MIB
"""A long reader renews its transaction this often, so that freed pages can be reused."""

MAP_SIZE = 1 << 43
MAP_SIZE_FLOOR = 1 << 30
"""Address space asked for (8 TiB), halved when the system refuses, never below what the file needs."""

LOCK_TIMEOUT = 60.0
LOCK_POLL = 0.02
"""How long another process is waited for, and how long between two looks: nobody holds a lock while it works."""

MAX_READERS = 512
"""Processes that may read one database at a time: what LMDB's lock file has room for, 32 KiB."""

MAX_TABLES = 16
"""Tables of a database. There are seven; LMDB keeps room for each."""

SECOND_SCAN_NAMES = 512
"""Names in a directory from which on a second process may scan the same tree from its other end."""

SECOND_SCAN_FILES = 16_384
"""Files of the snapshot before from which on it does so though nothing may have changed. Below, forking takes as long
as looking at all of them."""

RELAYED_BYTES = 256 * KIB
"""Stored bytes that it hands over at a time."""

RELAY_PIPE_BYTES = MIB
"""What may be on its way between the two, so that neither waits for the other: as much as Linux gives to everyone."""

# --- memory -----------------------------------------------------------------------------------
FRAME_CACHE_BYTES = 12 * MIB
"""Decoded frames kept by a reader. Restores read in the order of blocks: 24 MiB were no faster, before and after
`optimize`."""

BLOCK_CACHE_BYTES = 4 * MIB
"""Stored bytes of parsed blocks kept by a reader."""

GC_BLOCK_CACHE_BYTES = 16 * MIB
"""The same while gc runs, which goes through blocks four times: with 5 MB of them a quarter of its time."""

SHARED_FRAME_CACHE_BYTES = 3 * MIB
SHARED_BLOCK_CACHE_BYTES = 2 * MIB
"""The same of each process where several share the work. What one reads in a row comes out of few blocks."""

PENDING_BYTES = 8 * MIB
"""Plain bytes waiting for compression before the scanner waits too."""

MAX_OPEN_DIRECTORIES = 64
"""Descriptors kept open by one stack. Trees deeper than this are rare, and a step back then costs one more call."""

MAX_IMPORTED_TREE = 4 * GIB
"""Bytes of names and metadata that an archive's entries may take in memory until its end: some ten million files."""

MAX_JOB = 64 * KIB
"""Bytes of a job that the queue to another process takes for certain."""

MAX_JOB_DESCRIPTORS = 64
"""Descriptors that go with a job."""

# --- parity -----------------------------------------------------------------------------------
MAX_PERMILLE = 500
"""The largest share of damage that parity is made for: half of everything."""

MAX_WORD_SUMS = 2048
"""Sums of one code word. Bounds the time for solving, which grows with their square."""

MAX_GROUP_SUMS = 32 * 1024
"""Sums of one group: 128 MiB, in no more than 17 words."""

MAX_PARITY_LIST_PAGES = 1 << 16
"""Pages of the list that begins a group's file: 256 MiB, of more blocks than a group may have."""

MAX_LOST_LIST_PAGES = 4096
"""Pages of one such list that are solved for, in seconds. The largest group, of blocks of 128 KiB, has 1,400."""

MAX_STRAY_PLACES = 16
"""So many places are looked at for one block: old pages and an enemy's name more than there can be."""

MAX_SEARCHED_TIMES = 8
"""So many times the size of the file of newest blocks may be read in search of records behind a damaged one: marks can
be anywhere."""

# --- rules of exclusion -----------------------------------------------------------------------
MAX_PATTERN = 4096
"""Characters of a pattern: as many as a path can have. It becomes an expression that takes longer than that to make."""

# --- archives that come in --------------------------------------------------------------------
MAX_EXTENDED_HEADERS = 16 * MIB
"""Bytes of extended headers that one member, and all global ones together, may have."""

MAX_PAX_LENGTH_DIGITS = 12
"""Digits of the length in front of a PAX record: more than MAX_EXTENDED_HEADERS has."""

MAX_TAR_ID = 1 << 32
"""Numbers of owners and devices are smaller, here and in trees."""

MAX_SPARSE_MAP_LINE = 24
"""Characters of a number in the map of a sparse file: 20 digits and a little."""

MAX_EXTENTS = 1 << 20
"""Stretches of data in one sparse file. More are no reason to keep so many numbers in memory."""

MAX_HASHED_HOLE = 64 * GIB
"""Only a digest makes anybody read a hole; a minute of hashing zeros is enough."""

MAX_IMPORTED_NAME = 1024
"""Bytes of one name in a path. No Linux file system has names of more than 255 characters."""

MAX_MANIFEST_FILE = 64 * MIB
MAX_LISTING_FILE = 256 * MIB
"""Bytes of a backup's papers that are read into memory: a listing of two million files."""

# --- memories: files that an agent writes, so that anybody may who can talk to it ------------------
MAX_FRONT_MATTER = 256 * KIB
"""Characters of YAML before a note. Real ones have a few hundred; a megabyte takes ten seconds to read."""

MAX_RECORD_FILE = 16 * MIB
"""Bytes of a file that is taken apart into records. A `memory.jsonl` of this size holds some 100,000 facts; an entity
has a few KiB. Hostile JSON takes twenty times its size when it is parsed."""

MAX_INDEX_FILE = 512 * MIB
"""Bytes of an index or relationship file that is read: those of 500,000 entities are smaller."""

MAX_COMPARED_FILE = 8 * MIB
"""Bytes of an index above which it is not compared with the entities at every snapshot. Those of 100,000 entities have
137 MB and would take more time and room than the snapshot itself; `icc-store validate` compares them all."""

MAX_RECORD_DEPTH = 64
"""Maps and lists within each other that a record may have, so that whoever goes through it may do so recursively."""

MAX_NUMBER_TEXT = 40
"""Characters of a number in YAML; what is longer stays the text it is. `1:59:59:...` takes time by the square of its
length."""

MAX_FINDINGS_OF_A_FILE = 50
"""A file that is wrong all over is no report of its own."""

MAX_SECRETS_OF_A_FILE = 50
"""Findings told of one file: a log full of keys is known for one after the first few."""

MAX_SECRET_DEPTH = 100
"""Maps and lists within each other that are searched for keys by calls within each other."""

MAX_WHERE_LENGTH = 4000
"""Characters of an expression: far more than anyone types, and few enough for any number in it."""

MAX_WHERE_DEPTH = 50
"""Parentheses and `not` within each other: the parser calls itself once for each."""

MAX_SETTINGS_FILES = 64
MAX_SETTINGS_FILE = MIB
"""Files in a memory's configuration that are looked at for settings, and bytes of each: real ones have some hundred."""

MAX_DAYS = 36_500
MAX_BACKUPS = 1_000_000
MAX_THREADS = 256
MAX_MEGABYTES = 1 << 40
"""The largest values that settings take: a century, more snapshots than a list can show, more threads and room than any
machine has. Beyond them a value is a slip, or made to break sums."""

# --- what is shown and compared ---------------------------------------------------------------
MAX_TEXT_SIZE = 8 * MIB
"""Bytes of a file that is compared line by line."""

MAX_COMPARISONS = 4_000_000
"""Lines of one gap times lines of the other: half a second of difflib. Larger gaps are shown as replaced."""

MAX_CONCERNED = 100_000
"""Files that are looked up to be named or counted; beyond, it is enough to know that it is very many."""

MAX_LOG_FILE = MIB
"""A file that has reached this becomes the previous one, and the one before that goes: two of them at most."""

MAX_REPORTED_HEADER = 4 * KIB
"""Bytes of `repository.json` in a report of a failure."""

MAX_CRONTAB_LINE = 990
"""Characters of a line that every cron reads: some cut longer ones off."""

MAX_RENEWAL_SECONDS = 30.0
"""For how long gc begins to write things anew at its end; the next gc goes on from there."""

MAX_COMPACTED_UNASKED = GIB
"""Bytes left in the file above which only `gc --compact` compacts: others would wait for longer than seconds."""

MAX_CLEANUP_SECONDS = 5.0
"""Of cleaning up after a snapshot; what is left is done the next time."""

# --- change detection -------------------------------------------------------------------------
RACY_NS = 2_000_000_000
"""A file changed less than this before it was read is read again next time (git's racy rule)."""

READ_TRIES = 3
"""How often a file that changes while it is read is read anew."""
