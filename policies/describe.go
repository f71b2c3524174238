package policies

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode"

	"tenure/domain"
	"tenure/domain/policy"
)

// RoleTable is a Markdown table of what each role of a policy may do, with what
// it implies and what every member may.
func RoleTable(p *policy.Policy) string {
	var b strings.Builder
	line := func(title string, cell func(policy.Role) string) {
		fmt.Fprintf(&b, "| %s", title)
		for _, r := range p.Roles {
			fmt.Fprintf(&b, " | %s", cell(r))
		}
		b.WriteString(" |\n")
	}
	yes := func(is bool) string {
		if is {
			return "yes"
		}
		return "–"
	}
	names := func(holds func(domain.Role) bool) string {
		var all []string
		for _, r := range p.Roles {
			if holds(r.Name) {
				all = append(all, string(r.Name))
			}
		}
		if len(all) == 0 {
			return "–"
		}
		return strings.Join(all, ", ")
	}
	own := func(r policy.Role) []domain.Role { return []domain.Role{r.Name} }

	line("", func(r policy.Role) string { return string(r.Name) })
	b.WriteString("|---" + strings.Repeat("|---", len(p.Roles)) + "|\n")
	for _, permission := range permissionsOf(p) {
		line("`"+string(permission)+"`", func(r policy.Role) string { return yes(p.Allows(own(r), permission)) })
	}
	line("gives the roles", func(r policy.Role) string {
		return names(func(other domain.Role) bool { return p.MayGrant(own(r), other) })
	})
	line("changes and removes", func(r policy.Role) string {
		return names(func(other domain.Role) bool { return p.MayManage(own(r), []domain.Role{other}) })
	})
	if p.Implies() {
		line("implies", func(r policy.Role) string {
			effective := p.Effective(own(r))
			return names(func(other domain.Role) bool { return other != r.Name && slices.Contains(effective, other) })
		})
	}
	line("is an administrator", func(r policy.Role) string { return yes(p.AdminLike(own(r))) })
	if p.Spaces != nil {
		line("enters every space", func(r policy.Role) string { return yes(p.AllSpaces(own(r))) })
	}
	if slices.ContainsFunc(p.Roles, func(r policy.Role) bool { return r.Exclusive }) {
		line("in one organization only", func(r policy.Role) string { return yes(p.Exclusive(own(r))) })
	}
	return b.String()
}

// permissionsOf lists every permission that the policy gives to anybody, in the
// order in which its document names them.
func permissionsOf(p *policy.Policy) []domain.Permission {
	var all []domain.Permission
	for _, given := range append([][]domain.Permission{p.Members.Permissions}, rolePermissions(p)...) {
		for _, permission := range given {
			if !slices.Contains(all, permission) {
				all = append(all, permission)
			}
		}
	}
	return all
}

func rolePermissions(p *policy.Policy) [][]domain.Permission {
	all := make([][]domain.Permission, len(p.Roles))
	for i, r := range p.Roles {
		all[i] = r.Permissions
	}
	return all
}

// Diff says what changes from one policy to another, one line a setting, in the
// order and the words of the document. It knows every setting that there is, by
// looking at the type. Name and version are no settings.
func Diff(a, b *policy.Policy) []string {
	before, after := flatten(a), flatten(b)
	paths := make([]string, len(before))
	for i, s := range before {
		paths[i] = s.path
	}
	next := 0 // where a setting that is new belongs: behind the one above it
	for _, s := range after {
		if i := slices.Index(paths, s.path); i >= 0 {
			next = i + 1
			continue
		}
		paths = slices.Insert(paths, next, s.path)
		next++
	}
	var lines []string
	for _, path := range paths {
		from, had := settingAt(before, path)
		to, has := settingAt(after, path)
		switch {
		case !has:
			lines = append(lines, fmt.Sprintf("- %s: %s", path, from))
		case !had:
			lines = append(lines, fmt.Sprintf("+ %s: %s", path, to))
		case slices.Equal(from.values, to.values):
		case from.list:
			lines = append(lines, fmt.Sprintf("~ %s: %s", path, changes(from.values, to.values)))
		default:
			lines = append(lines, fmt.Sprintf("~ %s: %s → %s", path, from, to))
		}
	}
	return lines
}

// changes says which items a list gains and loses.
func changes(from, to []string) string {
	var all []string
	for _, item := range to {
		if !slices.Contains(from, item) {
			all = append(all, "+"+item)
		}
	}
	for _, item := range from {
		if !slices.Contains(to, item) {
			all = append(all, "-"+item)
		}
	}
	if len(all) == 0 {
		return "another order: " + strings.Join(to, ", ")
	}
	return strings.Join(all, " ")
}

// setting is one value of a policy, under the name that its document has for it.
type setting struct {
	path   string
	list   bool
	values []string
}

func (s setting) String() string { return strings.Join(s.values, ", ") }

func settingAt(all []setting, path string) (setting, bool) {
	i := slices.IndexFunc(all, func(s setting) bool { return s.path == path })
	if i < 0 {
		return setting{}, false
	}
	return all[i], true
}

// flatten lists the settings of a policy that are not their defaults.
func flatten(p *policy.Policy) []setting {
	var all []setting
	walk("", reflect.ValueOf(*p), &all)
	return slices.DeleteFunc(all, func(s setting) bool { return s.path == "name" || s.path == "version" })
}

func walk(path string, v reflect.Value, all *[]setting) {
	down := func(name string) string {
		if path == "" {
			return name
		}
		return path + "." + name
	}
	text, whole := inOneWord(v.Interface())
	switch {
	case v.Type() == reflect.TypeFor[time.Duration]() && v.IsZero():
	case whole:
		*all = append(*all, setting{path: path, values: []string{text}})
	case v.Kind() == reflect.Pointer:
		if !v.IsNil() {
			*all = append(*all, setting{path: path, values: []string{"yes"}})
			walk(path, v.Elem(), all)
		}
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			walk(down(snake(v.Type().Field(i).Name)), v.Field(i), all)
		}
	case v.Kind() == reflect.Map:
		for _, key := range slices.SortedFunc(slices.Values(v.MapKeys()), func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) }) {
			walk(down(key.String()), v.MapIndex(key), all)
		}
	case v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Struct: // the roles, by name
		names := setting{path: path, list: true}
		for i := range v.Len() {
			names.values = append(names.values, v.Index(i).FieldByName("Name").String())
		}
		*all = append(*all, names)
		for i := range v.Len() {
			item := v.Index(i)
			walk(down(item.FieldByName("Name").String()), item, all)
		}
		*all = slices.DeleteFunc(*all, func(s setting) bool { return strings.HasPrefix(s.path, path+".") && strings.HasSuffix(s.path, ".name") })
	case v.Kind() == reflect.Slice:
		if v.Len() > 0 {
			list := setting{path: path, list: true}
			for i := range v.Len() {
				list.values = append(list.values, fmt.Sprint(v.Index(i)))
			}
			*all = append(*all, list)
		}
	case !v.IsZero():
		*all = append(*all, setting{path: path, values: []string{fmt.Sprint(v)}})
	}
}

// inOneWord is the text that a document has for a value that Go takes apart, or
// whose zero means something.
func inOneWord(v any) (text string, ok bool) {
	switch v := v.(type) {
	case time.Duration:
		return formatDuration(v), true
	case time.Weekday:
		return strings.ToLower(v.String()), true
	case policy.TimeOfDay:
		return v.String(), true
	case *time.Location:
		return v.String(), true
	}
	return "", false
}

// formatDuration is the text that a document has for a length of time.
func formatDuration(d time.Duration) string {
	for _, unit := range []struct {
		name string
		is   time.Duration
	}{{"day", 24 * time.Hour}, {"hour", time.Hour}, {"minute", time.Minute}} {
		if n := d / unit.is; d%unit.is == 0 && n > 0 {
			if n == 1 {
				return "1 " + unit.name
			}
			return fmt.Sprintf("%d %ss", n, unit.name)
		}
	}
	return d.String()
}

// snake is a Go name as the documents write it.
func snake(name string) string {
	var b strings.Builder
	for i, r := range name {
		if unicode.IsUpper(r) && i > 0 {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}
