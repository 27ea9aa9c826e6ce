package proxy

// says tells whether the transaction itself has said what the key holds: then nothing needs to be loaded for what follows.
func (tx *transaction) says(db int, key []byte) bool {
	return tx.emptied[db] || tx.emptied[-1] || tx.settled != nil && tx.settled[dbKey{db, string(key)}]
}

// empties tells whether the command is a FLUSHALL or FLUSHDB that will not be refused for its words.
func empties(args [][]byte) bool {
	if !equalFold(args[0], "flushall") && !equalFold(args[0], "flushdb") {
		return false
	}
	return len(args) == 1 || len(args) == 2 && (equalFold(args[1], "async") || equalFold(args[1], "sync"))
}

// settles tells whether the command, which will not be refused for its words, sets or removes all its keys whatever they held. Others are not
// taken for such: to load a key in vain does no harm.
func settles(cmd *command, args [][]byte) bool {
	switch cmd.name {
	case "set":
		return len(args) == 3
	case "mset":
		return len(args)%2 == 1
	case "del", "unlink":
		return true
	default:
		return false
	}
}
