package embedded

import (
	"time"

	"forebay/internal/route"
)

// DefaultRoutes are the routes over [Digits] for a Forebay without a configuration:
//
//	digits:train:7      the sample as a pickled dict {"image": 8×8 ndarray of uint8, "label": int}
//	digits:train:7:npy  its image as an NPY file
//	digits:train:images all images as an NPY file; so digits:train:labels
//
// The result is the caller's own.
func DefaultRoutes() []route.Spec {
	pixels := route.Field{Column: "data", DType: "uint8", Shape: []int{8, 8}}
	image := pixels
	image.Name = "image"
	image.Shape = []int{8, 8}
	return []route.Spec{
		digitsRoute("digits", "digits:{split:train|test}:{idx:int}", &route.Encode{
			Format: "pickle",
			Fields: []route.Field{image, {Name: "label", Column: "label"}},
		}),
		digitsRoute("digits-npy", "digits:{split:train|test}:{idx:int}:npy", &route.Encode{
			Format: "npy",
			Fields: []route.Field{pixels},
		}),
		{
			Name: "digits-arrays", Key: "digits:{split:train|test}:{array:images|labels}", TTL: time.Hour, Jitter: 0.1,
			Object: &route.ObjectSpec{Dataset: digitsDataset, Name: "{split}-{array}"},
		},
	}
}

// digitsRoute is a route to one row of the table samples, with the default TTL of the configuration.
func digitsRoute(name, key string, encode *route.Encode) route.Spec {
	return route.Spec{
		Name:  name,
		Key:   key,
		Table: digitsTable,
		Where: []route.Bind{
			{Column: "dataset", Expr: digitsDataset},
			{Column: "split", Expr: "{split}"},
			{Column: "shard", Expr: "{idx / 1024}"},
			{Column: "idx", Expr: "{idx}"},
		},
		Encode: encode,
		TTL:    time.Hour,
		Jitter: 0.1,
	}
}
