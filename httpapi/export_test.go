package httpapi

// Statuses is the table of codes and their statuses.
func Statuses() map[string]int {
	statuses := make(map[string]int)
	for code, m := range meanings() {
		statuses[string(code)] = m.status
	}
	return statuses
}
