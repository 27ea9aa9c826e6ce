package metric

// CommandID is the index of a command that is counted by name; [Other] stands for all the rest.
type CommandID uint8

// The commands counted by name: what trainers send most, and what tells how a transaction or a script fares.
const (
	Other CommandID = iota
	Get
	MGet
	GetEx
	GetDel
	GetRange
	StrLen
	HGet
	HMGet
	HGetAll
	Set
	MSet
	Del
	Exists
	TTL
	Exec
	Eval
	Ping
	commands // one past the last
)

// String returns the command's name as the cmd label shows it.
func (c CommandID) String() string {
	switch c {
	case Get:
		return "get"
	case MGet:
		return "mget"
	case GetEx:
		return "getex"
	case GetDel:
		return "getdel"
	case GetRange:
		return "getrange"
	case StrLen:
		return "strlen"
	case HGet:
		return "hget"
	case HMGet:
		return "hmget"
	case HGetAll:
		return "hgetall"
	case Set:
		return "set"
	case MSet:
		return "mset"
	case Del:
		return "del"
	case Exists:
		return "exists"
	case TTL:
		return "ttl"
	case Exec:
		return "exec"
	case Eval:
		return "eval"
	case Ping:
		return "ping"
	default:
		return "other"
	}
}

// The names as the integers that pack makes of them.
const (
	packGet      = 'g' | 'e'<<8 | 't'<<16
	packMGet     = 'm' | packGet<<8
	packGetEx    = packGet | 'e'<<24 | 'x'<<32
	packGetDel   = packGet | packDel<<24
	packGetRange = packGet | 'r'<<24 | 'a'<<32 | 'n'<<40 | 'g'<<48 | 'e'<<56
	packStrLen   = 's' | 't'<<8 | 'r'<<16 | 'l'<<24 | 'e'<<32 | 'n'<<40
	packHGet     = 'h' | packGet<<8
	packHMGet    = 'h' | packMGet<<8
	packHGetAll  = packHGet | 'a'<<32 | 'l'<<40 | 'l'<<48
	packSet      = 's' | 'e'<<8 | 't'<<16
	packMSet     = 'm' | packSet<<8
	packDel      = 'd' | 'e'<<8 | 'l'<<16
	packExists   = 'e' | 'x'<<8 | 'i'<<16 | 's'<<24 | 't'<<32 | 's'<<40
	packTTL      = 't' | 't'<<8 | 'l'<<16
	packExec     = 'e' | 'x'<<8 | 'e'<<16 | 'c'<<24
	packEval     = 'e' | 'v'<<8 | 'a'<<16 | 'l'<<24
	packPing     = 'p' | 'i'<<8 | 'n'<<16 | 'g'<<24
)

// CommandIndex returns the index of a command's name in any case, [Other] for a name that is not counted by itself.
// It does not keep name and does not allocate.
func CommandIndex(name []byte) CommandID {
	switch pack(name) {
	case packGet:
		return Get
	case packMGet:
		return MGet
	case packGetEx:
		return GetEx
	case packGetDel:
		return GetDel
	case packGetRange:
		return GetRange
	case packStrLen:
		return StrLen
	case packHGet:
		return HGet
	case packHMGet:
		return HMGet
	case packHGetAll:
		return HGetAll
	case packSet:
		return Set
	case packMSet:
		return MSet
	case packDel:
		return Del
	case packExists:
		return Exists
	case packTTL:
		return TTL
	case packExec:
		return Exec
	case packEval:
		return Eval
	case packPing:
		return Ping
	default:
		return Other
	}
}

// pack turns a name of at most eight bytes into an integer, letters lower-cased, and any longer one into 0.
// Setting bit 5 makes a lower-case letter of nothing but that letter in either case, and never a zero byte, so
// no two names with different letters or lengths meet.
func pack(name []byte) (p uint64) {
	if len(name) > 8 {
		return 0
	}
	for i, b := range name {
		p |= uint64(b|0x20) << (8 * i)
	}
	return p
}
