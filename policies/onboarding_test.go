package policies_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/matryer/is"

	"tenure/domain/policy"
	"tenure/policies"
)

func TestAServerOnboardsByAPolicyThatSaysHow(t *testing.T) {
	is := is.New(t)
	p, err := policies.Builtin().Onboarding("capabilities")
	is.NoErr(err)
	is.Equal(*p.Onboarding, policy.Onboarding{ByDomain: true, Personal: "personal"})

	document := func(name, personal string) *fstest.MapFile {
		return &fstest.MapFile{Data: []byte(strings.Replace(small, "name: small", "name: "+name, 1) + "onboarding: {personal: " + personal + "}\n")}
	}
	c, err := policies.Load(fstest.MapFS{
		"small.yaml": {Data: []byte(small)}, "own.yaml": {Data: []byte(own)},
		"fits.yaml": document("fits", "own"), "missing.yaml": document("missing", "nothing"), "shared.yaml": document("shared", "small"),
	})
	is.NoErr(err)
	_, err = c.Onboarding("fits")
	is.NoErr(err)
	for name, want := range map[string]string{
		"none": "one of fits, missing, own, shared, small", "small": "no rules for onboarding",
		"missing": "names nothing, which is no policy", "shared": "names small, where members.personal is not true",
	} {
		_, err := c.Onboarding(name)
		is.True(err != nil && strings.Contains(err.Error(), want)) // the reason is want
	}
}
