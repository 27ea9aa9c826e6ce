package cache

// distinct returns the wants of different keys, and for each that repeats an earlier one which that is. Those get one result: an MGET of a key twice
// sees one moment of it. Each joining a flight by itself, they might not:
//
//  1. The first want comes too late for the flight of k (it is sealed): it will look again.
//  2. That flight ends. The second want begins another, and gets its value.
//  3. A client writes k. The first looks again, and gets that.
func distinct(wants []Want) (todo []int, twins map[int]int) {
	todo = make([]int, 0, len(wants))
	if len(wants) == 1 {
		return append(todo, 0), nil
	}
	first := make(map[string]int, len(wants))
	for i := range wants {
		if n, ok := first[string(wants[i].Key)]; ok {
			if twins == nil {
				twins = map[int]int{}
			}
			twins[i] = n
			continue
		}
		first[string(wants[i].Key)] = i
		todo = append(todo, i)
	}
	return todo, twins
}
