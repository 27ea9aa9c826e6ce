package redis

import (
	"strconv"

	"forebay/backend"
)

const (
	hiddenPrefix = backend.HiddenPrefix
	// leasePrefix begins those of leases and markers, each in the slot of its key.
	leasePrefix = hiddenPrefix + "lease:"
	// generationKey holds a database's generation.
	generationKey = hiddenPrefix + "generation"
	// areaPrefix begins the keys of areas.
	areaPrefix = hiddenPrefix + "area:"
)

// leaseKey is where the lease of a key is, in its slot: "{key}" after the prefix, and where that is not possible a tag and the key. No two keys
// have the same.
func (c *Client) leaseKey(key []byte) string {
	tag, whole := c.slotTag(key)
	if whole {
		return leasePrefix + "{" + tag + "}"
	}
	return leasePrefix + "{" + tag + "}:" + string(key)
}

// areaKey is where an area is; for none it is other, which a script is given in its place.
func areaKey(a backend.Area, other string) string {
	if a.Since.Held() {
		return areaPrefix + a.Name
	}
	return other
}

// slotTable is a tag for every slot: the smallest number that is in it.
func slotTable() *[slots]string {
	var table [slots]string
	for n, left := 0, slots; left > 0; n++ {
		t := strconv.Itoa(n)
		if slot := crc16([]byte(t)) % slots; table[slot] == "" {
			table[slot] = t
			left--
		}
	}
	return &table
}
