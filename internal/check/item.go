package check

// The policy's walker runs a pickle on items instead of objects: each is what is known of one object. Nothing is approximate but what
// is called plain: the walker knows of each object whether it is one of these kinds, and the numbers that later checks need.

// kind is what sort of object an item stands for.
type kind uint8

const (
	plain      kind = iota // nothing the rules ask after: float, large int, frozenset, scalar, Python 2 text
	none                   // None
	boolean                // n is 0 or 1
	integer                // n is the number
	text                   // str; lo and n its bytes in the value, chars its length if all Latin-1
	blob                   // bytes; n its length, lo where, or -1 for what _codecs.encode made
	byteArray              // bytearray; n its length
	tuple                  // may be read as what its roles say
	list                   //
	dict                   // see addField for what is known of one that describes a dtype's fields
	set                    //
	global                 // an allowed function or class; n is its number
	dtype                  // numpy.dtype; n its item size, lo its letter
	emptyArray             // what _reconstruct gave, to be filled by BUILD
	array                  // numpy.ndarray
	ordered                // collections.OrderedDict
)

// item is what is known of one object. Copies of it are on the stack and in the memo; see memo.go for how they stay the same.
type item struct {
	kind   kind
	flags  flag
	depth  uint8  // of nesting
	bits   uint8  // of a dtype, or the dtypes of a dict of fields: NumPy's flags
	roles  roles  // of a tuple
	memo   int32  // 1 + its index in the memo; 0 for none
	weight uint32 // objects that a reader meets who follows every reference
	n, lo  int64  // by kind; of a tuple, by its role, see roles.go
	chars  int64
}

type flag uint8

const (
	shared flag = 1 << iota // of a memo entry: it has been fetched
	fresh                   // a dtype without its state
	mixed                   // a dict that does not describe fields
	coded                   // a text whose bytes are not its characters
)

func (it *item) is(f flag) bool { return it.flags&f != 0 }

// Bounds on what a reader of an admitted value must hold or walk, far above what datasets need. Python's own hash of nested tuples has no bound: a
// deep one ends the process, and one that holds its predecessor twice, forty times over, takes days.
const (
	maxDepth  = 100
	maxWeight = 1 << 24 // objects
	maxStack  = 1 << 18 // operands at once, which bounds the length of a tuple
	maxMemo   = 1 << 19 // memoized objects
)
