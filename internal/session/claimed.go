package session

import (
	"context"
	"encoding/binary"
	"slices"

	"github.com/cespare/xxhash/v2"

	"forebay/backend"
)

// maxClaimed is the most claims of an ended session that are looked at in one database, of all its proxies together: 64 MiB.
// Keys beyond it stay.
const maxClaimed = 8 << 20

// claimed are the hashes that an ended session claims and no other.
type claimed struct {
	hashes []uint64 // sorted
	kept   []uint64 // bits, by place in hashes: another session claims it
}

// databases lists those in which there are claims, in no order.
func databases(list []backend.SessionClaims) (dbs []int) {
	for _, c := range list {
		if c.DB >= 0 && !slices.Contains(dbs, c.DB) {
			dbs = append(dbs, c.DB)
		}
	}
	return dbs
}

// claimed reads what the ended session claims in db, and what the others do. Nil: another may claim everything.
func (m *Manager) claimed(ctx context.Context, ended *backend.SessionRecord, others []backend.SessionRecord, db int) (*claimed, error) {
	mine := &claimed{}
	for _, c := range ended.Claims {
		if c.DB != db {
			continue
		}
		// What is missing of them only keeps keys.
		_, err := m.opt.Store.Claims(ctx, ended.ID, c, func(b []byte) {
			for ; len(b) >= hashBytes && len(mine.hashes) < maxClaimed; b = b[hashBytes:] {
				mine.hashes = append(mine.hashes, binary.LittleEndian.Uint64(b))
			}
		})
		if err != nil {
			return nil, err
		}
	}
	slices.Sort(mine.hashes)
	mine.hashes = slices.Compact(mine.hashes)
	mine.kept = make([]uint64, (len(mine.hashes)+63)/64)
	for i := range others {
		other := &others[i]
		if other.ID == "" {
			return nil, nil //nolint:nilnil // its claims are lost: it may claim everything
		}
		for _, c := range other.Claims {
			if c.DB == allDatabases {
				return nil, nil //nolint:nilnil // it claims everything
			}
			if c.DB != db {
				continue
			}
			whole := !c.Over
			if whole {
				var err error
				if whole, err = m.opt.Store.Claims(ctx, other.ID, c, mine.keep); err != nil {
					return nil, err
				}
			}
			if !whole {
				return nil, nil //nolint:nilnil // it may claim everything
			}
		}
	}
	return mine, nil
}

// keep takes another session's claims.
func (c *claimed) keep(b []byte) {
	for ; len(b) >= hashBytes; b = b[hashBytes:] {
		if i, ok := slices.BinarySearch(c.hashes, binary.LittleEndian.Uint64(b)); ok {
			c.kept[i/64] |= 1 << (i % 64)
		}
	}
}

// only returns those of keys, in their place, that this session claims and no other.
func (c *claimed) only(keys []string) []string {
	return slices.DeleteFunc(keys, func(k string) bool {
		i, ok := slices.BinarySearch(c.hashes, xxhash.Sum64String(k))
		return !ok || c.kept[i/64]&(1<<(i%64)) != 0
	})
}
