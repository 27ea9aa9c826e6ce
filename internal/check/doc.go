// Package check holds values to what their route demands: a length, a format, and the pickle policy.
//
// A value comes from the source or from Redis and goes to a trainer, which will unpickle it: it runs what the pickle says. [Rules.Check] looks at the
// bytes in between. It executes nothing and makes no objects.
//
// # The pickle policy
//
// It is a policy, not safety. It says: this value asks for nothing but data and NumPy arrays of plain elements, in the way that picklers write
// them. Lists of what is forbidden fail one module at a time; this is a list of what is allowed, and all else is refused, unknown opcodes and
// unknown forms included. A value is admitted only if every opcode is understood.
//
// The pickle is run on descriptions of objects (item.go): none is approximated, so it is known of each operand of a call whether it is, say, a
// tuple of numbers whose product is so much. Ten (module, name) pairs may be named, compared whole. A call is admitted with the arguments that picklers give it,
// because each of the ten is dangerous with others:
//
//   - numpy.ndarray (shape, type, buffer), where the buffer is exactly as long as type and shape say. Without a buffer it gives uninitialised memory
//     of any size, with strides more elements than bytes.
//   - numpy.dtype (code, False, True), of a fixed size and without references. The dtype of objects takes the bytes of an array for addresses. Its
//     state, set by BUILD, is believed by NumPy: fields outside of the element read and write foreign memory; so all of it is checked (dtype.go).
//   - numpy.core.multiarray._reconstruct and numpy._core's: (ndarray, (0,), b"b") only; shape and bytes come by BUILD and must fit. With another shape it is memory
//     of any size; with another class, that class's code.
//   - numpy.core.numeric._frombuffer and numpy._core's: (buffer, dtype, shape, order), where they fit. It reshapes, and cannot do more.
//   - numpy.core.multiarray.scalar and numpy._core's: (dtype, bytes of its size). With the dtype of objects it is the identity.
//   - collections.OrderedDict (): items come by SETITEMS. BUILD on it would set attributes, a __setstate__ among them: refused.
//   - _codecs.encode (text, "latin1"): how protocols below 3 write bytes. Another codec imports a module of the caller's choice and runs it.
//
// Never admitted: INST, OBJ, NEWOBJ and NEWOBJ_EX (instances of classes), EXT (a registry only the reader knows), PERSID (the reader's own code), BUILD but of a new
// dtype or array, appending to what is no list, dict or set (a method call), POP and DUP, entries of the memo that are overwritten, objects changed
// after they were fetched from the memo (memo.go), cycles, a second pickle or any byte after STOP, frames and lengths beyond the end.
// Depth, memo, operands and the number of objects that references multiply to are bounded.
//
// Names of STACK_GLOBAL are literal texts of the pickle itself. They may be fetched from the memo, as NumPy's own are ("numpy", once for ndarray and dtype);
// no admitted operation makes a text, and no entry of the memo can change.
//
// Refused although harmless, since nothing of builtins may be named: complex; sets below protocol 4, bytearrays below 5, empty bytes below 3. Refused, too:
// arrays of objects, masked and record arrays, titles of fields, metadata of dtypes, NumPy arrays pickled by Python 2, classes of any library.
//
// What it does not prove: that the reader's NumPy, or the unpickler itself, has no fault of its own; that modules named so are the genuine ones on the reader's
// path; that keys do not collide in a dict; that numbers, texts and array contents mean what the trainer takes them for. Whoever can choose values should not
// be unpickled at all: encode: raw or npy needs no trust.
//
// # Cost
//
// One pass, at most one step for each byte. The walker's own memory is at most 40 bytes an operand and memoized object, in all at most 70 MB for a value made to
// that end; none is allocated for usual samples.
package check
