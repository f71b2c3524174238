package policies_test

import (
	"errors"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"tenure/domain/policy"
	"tenure/policies"
)

// told is a policy with a digest of requests to join.
const told = small + `requests:
  roles: [HAND]
  digest: {weekday: monday, at: "09:00", zone: Europe/Paris}
`

func deciding(document string) string {
	return strings.Replace(document, "members.invite, ", "members.invite, requests.decide, ", 1)
}

func TestParseReadsTheDigest(t *testing.T) {
	is := is.New(t)
	for day, weekday := range map[string]time.Weekday{"monday": time.Monday, "tuesday": time.Tuesday, "saturday": time.Saturday, "sunday": time.Sunday} {
		for text, at := range map[string]policy.TimeOfDay{`"09:00"`: 540, `"00:00"`: 0, `"23:59"`: 1439, `09:30`: 570} {
			p, err := policies.Parse([]byte(strings.NewReplacer("monday", day, `"09:00"`, text).Replace(deciding(told))))
			is.NoErr(err)
			is.Equal(p.Requests.Digest.Weekday, weekday)
			is.Equal(p.Requests.Digest.At, at)
			is.Equal(p.Requests.Digest.Zone.String(), "Europe/Paris")
		}
	}
}

func TestParseSaysWhatIsWrongWithADigest(t *testing.T) {
	for _, c := range []struct{ name, old, new, problem string }{
		{"weekday", "monday", "mondays", `line 21, column 21: requests.digest.weekday: Give a day of the week, "monday" to "sunday". Did you mean "monday"?`},
		{"weekday in capitals", "monday", "Monday", `line 21, column 21: requests.digest.weekday: Give a day of the week, "monday" to "sunday". Did you mean "monday"?`},
		{"number of a weekday", "monday", "1", `line 21, column 21: requests.digest.weekday: Give a day of the week, "monday" to "sunday".`},
		{"time", "09:00", "9:00", `line 21, column 33: requests.digest.at: Give a time of the day in quotes, "00:00" to "23:59".`},
		{"late time", "09:00", "24:00", `line 21, column 33: requests.digest.at: Give a time of the day in quotes, "00:00" to "23:59".`},
		{"number for a time", `"09:00"`, "9", `line 21, column 33: requests.digest.at: Give a time of the day in quotes, "00:00" to "23:59". This is a number.`},
		{"zone", "Europe/Paris", "Europe/Pariss", `line 21, column 48: requests.digest.zone: "Europe/Pariss" is no time zone: give a name of the IANA database, for example "Europe/Paris" or "UTC".`},
		{"zone of the machine", "Europe/Paris", "Local", `line 21, column 48: requests.digest.zone: "Local" is no time zone: give a name of the IANA database, for example "Europe/Paris" or "UTC".`},
		{"file for a zone", "Europe/Paris", "../../etc/passwd", `line 21, column 48: requests.digest.zone: "../../etc/passwd" is no time zone: give a name of the IANA database, for example "Europe/Paris" or "UTC".`},
		{"no zone", ", zone: Europe/Paris", "", `line 21, column 11: requests.digest: Add "zone": a name of the IANA time zone database, for example "Europe/Paris" or "UTC".`},
		{"empty zone", "Europe/Paris", `""`, `line 21, column 48: requests.digest.zone: Give a name of the IANA time zone database, for example "Europe/Paris" or "UTC". This is empty.`},
		{"nobody decides", "requests.decide, ", "", `line 21, column 11: requests.digest: Leave this out, or give a role the permission requests.decide; nobody would get the digest.`},
	} {
		t.Run(c.name, func(t *testing.T) {
			is := is.New(t)
			document := strings.Replace(deciding(told), c.old, c.new, 1)
			is.True(document != deciding(told)) // the edit found its place
			_, err := policies.Parse([]byte(document))
			var wrong *policies.Error
			is.True(errors.As(err, &wrong))
			if !slices.Contains(strings.Split(err.Error(), "\n"), c.problem) {
				t.Errorf("expected\n%s\nfound\n%s", c.problem, err)
			}
		})
	}
}

func TestDiffSaysWhenTheDigestIs(t *testing.T) {
	is := is.New(t)
	parse := func(document string) *policy.Policy {
		p, err := policies.Parse([]byte(document))
		is.NoErr(err)
		return p
	}
	without, monday := parse(strings.Split(deciding(told), "  digest")[0]), parse(deciding(told))
	midnight := parse(strings.NewReplacer("monday", "sunday", "09:00", "00:00", "Europe/Paris", "UTC").Replace(deciding(told)))
	is.Equal(policies.Diff(without, monday), []string{
		"+ requests.digest: yes", "+ requests.digest.weekday: monday", "+ requests.digest.at: 09:00", "+ requests.digest.zone: Europe/Paris",
	})
	is.Equal(policies.Diff(monday, midnight), []string{
		"~ requests.digest.weekday: monday → sunday", "~ requests.digest.at: 09:00 → 00:00", "~ requests.digest.zone: Europe/Paris → UTC",
	})
	is.Equal(policies.Diff(monday, monday), nil)
}

// The machines that Tenure runs on need not have the time zones.
func TestTheTimeZonesAreInTheProgram(t *testing.T) {
	is := is.New(t)
	all, err := exec.Command("go", "list", "-deps", ".").Output()
	is.NoErr(err)
	is.True(slices.Contains(strings.Fields(string(all)), "time/tzdata"))
}
