// Package numpy writes arrays as NumPy's own file format and as pickles, for readers that know nothing of Forebay.
//
// Every function appends to a slice and returns it, as the built-in append does, and keeps none of its arguments.
package numpy
