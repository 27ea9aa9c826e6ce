// Package dataset reads what "forebay load" stores: NumPy's NPY and NPZ, MNIST's IDX and folders of files as a stream of samples, CSV and
// JSON lines as a stream of records, and any file as one run of bytes.
//
// The path of the data: [OpenFile] reads every byte of an array file once and checks it (headers, sizes, checksums), before anyone acts
// upon it; [Open] chooses the array of the samples and that of their labels, over one or more files that continue each other, or
// takes the files of a folder as samples and the names of its sub-folders as labels; [Set.Each] reads again and hands out sample after
// sample; [Set.Encoded] turns them into the bytes to store. [OpenRecords] reads a file of records once to learn its columns and to find
// what is broken, and [Records.Each] again. [OpenContent] gives a file's bytes, or its array's.
//
// A format is told by the first bytes, never by the name, and everything but an NPZ and a folder may be in gzip.
//
// Invariants:
//   - Nothing is allocated by what a header says: sizes are compared with the file first, and what is decompressed is streamed. A record
//     is at most MaxRecordBytes.
//   - A sample's bytes are in C order and in the byte order its DType names. Only an array in Fortran order is held in memory whole, up to
//     MaxFortranBytes.
//   - An error names the file, the array where there is one, the offset and the reason.
package dataset
