package maildomain_test

import (
	"os"
	"strings"
	"testing"

	"github.com/matryer/is"
	"golang.org/x/net/idna"

	"tenure/commands/maildomain"
	"tenure/domain"
)

func TestOneSpelling(t *testing.T) {
	is := is.New(t)
	for email, want := range map[domain.Email]string{
		"ada@acme.example": "acme.example", "Ada@ACME.Example": "acme.example", `"a@b"@acme.example`: "acme.example",
		"ada@müller.de": "xn--mller-kva.de", "ada@MÜLLER.de": "xn--mller-kva.de", "ada@mu\u0308ller.de": "xn--mller-kva.de", "ada@xn--mller-kva.de": "xn--mller-kva.de",
		"ada@[127.0.0.1]": "", "ada@under_score.example": "", "ada@localhost": "", "": "",
	} {
		is.Equal(maildomain.Of(email), want)
	}
	is.Equal(maildomain.Display("xn--mller-kva.de"), "müller.de")
	is.Equal(maildomain.Display("acme.example"), "acme.example")
}

func TestAnybodysDomainsAreNotPrivate(t *testing.T) {
	for name := range strings.FieldsSeq(`gmail.com googlemail.com outlook.com outlook.de outlook.fr hotmail.com hotmail.co.uk hotmail.de live.com live.fr live.nl msn.com
		yahoo.com yahoo.co.uk yahoo.co.jp yahoo.fr ymail.com gmx.de gmx.net gmx.at gmx.ch gmx.com web.de t-online.de freenet.de orange.fr wanadoo.fr laposte.net free.fr
		proton.me protonmail.com pm.me icloud.com me.com mac.com aol.com qq.com 163.com 126.com foxmail.com naver.com mail.ru bk.ru yandex.ru yandex.com zoho.com
		fastmail.com fastmail.fm tutanota.com tuta.io posteo.de mailbox.org libero.it seznam.cz wp.pl uol.com.br rediffmail.com duck.com
		mailinator.com yopmail.com guerrillamail.com 10minutemail.com
		privaterelay.appleid.com mozmail.com relay.firefox.com passmail.net passmail.com passinbox.com simplelogin.com simplelogin.co simplelogin.io
		aleeas.com slmail.me slmails.com anonaddy.me anonaddy.com addy.io ada.anonaddy.me ada.mozmail.com
		a.gmail.com eu.mail.yandex.ru co.uk com github.io`) {
		if maildomain.Private(name) {
			t.Errorf("anybody gets an address in %s", name)
		}
	}
	for name := range strings.FieldsSeq("acme.example example.com eu.acme.co.uk google.com microsoft.com apple.com filigran.io xn--mller-kva.de acme.github.io bbc.co.uk") {
		if !maildomain.Private(name) {
			t.Errorf("%s belongs to somebody", name)
		}
	}
	is.New(t).True(!maildomain.Private(""))
}

// The lists are spelled as Of spells, and also.txt has what the other one lacks.
func TestListsAreInOrder(t *testing.T) {
	is := is.New(t)
	seen := make(map[string]bool)
	for _, file := range []string{"public.txt", "also.txt"} {
		text, err := os.ReadFile(file)
		is.NoErr(err)
		for name := range strings.FieldsFuncSeq(string(text), func(r rune) bool { return r == '\n' }) {
			if strings.HasPrefix(name, "#") {
				continue
			}
			if ascii, err := idna.ToASCII(name); err != nil || ascii != strings.ToLower(name) || seen[name] {
				t.Errorf("%s: %q is spelled otherwise, or there already", file, name)
			}
			seen[name] = true
		}
	}
	is.True(len(seen) > 10_000)
}
