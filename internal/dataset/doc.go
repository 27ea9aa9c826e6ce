// Package dataset reads NumPy's files, NPY and NPZ, as a stream of samples.
//
// The path of the data: [OpenFile] reads every byte of the file once and checks it (headers, sizes, checksums), before anyone acts
// upon it; [Open] chooses the array of the samples and that of their labels, over one or more files that continue each other;
// [Set.Each] reads again and hands out sample after sample, each in C order; [Set.Encoded] turns them into the bytes to store.
//
// Invariants:
//   - Nothing is allocated by what a header says: sizes are compared with the file first, and what is decompressed is streamed.
//   - A sample's bytes are in C order and in the byte order its DType names. Only an array in Fortran order is held in memory whole, up to
//     MaxFortranBytes.
//   - An error names the file, the array where there is one, the offset and the reason.
package dataset
