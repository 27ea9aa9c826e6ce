package embedded_test

import (
	"hash/crc32"
	"testing"

	"forebay/backend/backendtest"
	"forebay/examples/digits"
)

func TestDigitsKeepTheContractOfASource(t *testing.T) {
	backendtest.Source(t, func(t *testing.T) backendtest.Fixture {
		d, _ := openDigits(t)
		return backendtest.Fixture{Source: d, Table: "samples", Rows: knownRows(t)}
	})
}

// knownRows are the first samples of both splits, their pixels read from the archives by a way of the test's own.
func knownRows(t *testing.T) []backendtest.Sample {
	t.Helper()
	var rows []backendtest.Sample
	for _, split := range []string{"train", "test"} {
		images, labels := unzipSplit(t, split)
		for i := range 20 {
			data := images[64*i:][:64]
			rows = append(rows, backendtest.Sample{
				Dataset: "digits", Split: split, Idx: int64(i), Data: data, Label: int64(labels[8*i]),
				CRC32C: int64(crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli))),
			})
		}
	}
	return rows
}

func TestNPZNamesAnUnknownSplit(t *testing.T) {
	if _, err := digits.NPZ("valid"); err == nil {
		t.Error("a split that is not there was returned")
	}
}
