package redis

import "bytes"

// slots is how many a cluster has.
const slots = 16384

// slotTag is a text t such that "{t}" in a key puts it into the slot of key: the key's own hash tag, or the whole key if it can stand between
// braces (whole), else, for keys such as "a}b", a number that happens to be in that slot.
func (c *Client) slotTag(key []byte) (tag string, whole bool) {
	own, has := hashTag(key)
	switch {
	case has:
		return string(own), false
	case len(key) > 0 && bytes.IndexByte(key, '}') < 0:
		return string(key), true
	default:
		return c.slotTags()[crc16(key)%slots], false
	}
}

// hashTag is what of a key counts for its slot: what is between its first "{" and the "}" that follows, if there is any, else the whole key.
func hashTag(key []byte) (tag []byte, own bool) {
	if from := bytes.IndexByte(key, '{'); from >= 0 {
		if n := bytes.IndexByte(key[from+1:], '}'); n > 0 {
			return key[from+1 : from+1+n], true
		}
	}
	return key, false
}

// crc16 is the XMODEM one, of which a key's slot is made.
func crc16(b []byte) (crc uint16) {
	for _, c := range b {
		crc ^= uint16(c) << 8
		for range 8 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ 0x1021
			} else {
				crc <<= 1
			}
		}
	}
	return crc
}
