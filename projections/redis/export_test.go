package redis

// PartitionKeys names the keys of a partition under the default prefix.
func PartitionKeys(view, partition string) (documents, entries string) {
	return keys{"tenure:"}.partition(view, partition)
}
