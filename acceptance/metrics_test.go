package acceptance

import (
	"regexp"
	"strconv"
	"strings"
)

// metric is the value of a metric without labels; empty where there is none.
func metric(metrics, name string) string {
	for line := range strings.Lines(metrics) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), name+" "); ok {
			return value
		}
	}
	return ""
}

var processMetric = regexp.MustCompile(`(?m)^tenure_process_(position|failing)\{process="([^"]+)"\} (\S+)$`)

// stuckProcess names a process that fails, or has not got to the end of the log.
func stuckProcess(metrics, head string) string {
	end, err := strconv.ParseFloat(head, 64)
	if err != nil {
		return "head " + head
	}
	reactions := 0
	for _, m := range processMetric.FindAllStringSubmatch(metrics, -1) {
		value, err := strconv.ParseFloat(m[3], 64)
		switch {
		case err != nil, m[1] == "failing" && value != 0:
			return m[2]
		case m[1] == "position" && !strings.HasPrefix(m[2], "deadlines."):
			reactions++
			if value < end {
				return m[2]
			}
		}
	}
	if reactions == 0 {
		return "no process is in the metrics"
	}
	return ""
}
