package httpapi

import (
	"context"
	"net/http"
	"time"

	"tenure/commands"
	"tenure/domain"
)

type signInBody struct {
	Email    string `json:"email" maxLength:"254"`
	Password string `json:"password" maxLength:"256"`
}

type sessionBody struct {
	Token              string           `json:"token" doc:"Send it as Authorization: Bearer …. It is shown in this answer only."`
	ExpiresAt          time.Time        `json:"expires_at"`
	AccountID          domain.AccountID `json:"account_id" format:"uuid"`
	SessionID          domain.SessionID `json:"session_id" format:"uuid"`
	MustChangePassword bool             `json:"must_change_password" doc:"An administrator knows the password: have the person choose another one."`
}

func exampleSessionBody() sessionBody {
	return sessionBody{
		Token:     "tnr_ses_BQGQ1aGKUn8QscNdfp8qSyIBkNWh1OxwZaYYorPOf5B3AAAAAAECAwQFBgcICQoLDA0ODxA",
		ExpiresAt: time.Date(2031, 3, 1, 9, 0, 0, 0, time.UTC), AccountID: exampleAda, SessionID: exampleSession,
	}
}

func (a *API) addSessions() {
	add(a, route{
		id: "sign-in", method: http.MethodPost, path: "/v1/sessions", tag: "Accounts", access: Public(), status: http.StatusCreated,
		summary:     "Sign in",
		description: "Answers with the token of a new session. An account has at most 20; one more ends the oldest.",
		codes:       []domain.Code{domain.CodeCredentialsWrong, domain.CodeEmailUnverified, domain.CodeTooManyAttempts},
		request:     signInBody{"ada@example.com", "correct horse battery"},
		response:    exampleSessionBody(),
	}, a.signIn)
	add(a, route{
		id: "sign-out", method: http.MethodDelete, path: "/v1/sessions/current", tag: "Accounts", access: SignedInOnce(), status: http.StatusNoContent,
		summary:     "Sign out",
		description: "Ends the session whose token is sent, at once. Doing so again does nothing.",
	}, a.signOut)
}

func (a *API) signIn(ctx context.Context, c *call, in *struct {
	NewHeaders
	Body signInBody
}) (answer, error) {
	var k checks
	email := k.email("email", in.Body.Email)
	if err := k.err(); err != nil {
		return answer{}, err
	}
	do, r, err := a.request(c, "")
	if err != nil {
		return answer{}, err
	}
	budgets := []budget{
		a.perAddress(c, "sign in", a.config.Throttle.SignInPerAddress),
		a.perEmail("sign in", email, a.config.Throttle.SignInPerEmail),
	}
	session, err := charged(ctx, a, budgets, func() (commands.SignedIn, error) {
		return do.SignIn(ctx, r, email, in.Body.Password)
	})
	return signedIn(session, err)
}

func (a *API) signOut(ctx context.Context, c *call, _ *struct{ NewHeaders }) (answer, error) {
	do, r, err := a.request(c, "")
	if err != nil {
		return answer{}, err
	}
	receipt, err := do.SignOut(ctx, r, c.caller.Account.ID, c.caller.SessionID)
	return answer{position: receipt.Position}, err
}

func signedIn(s commands.SignedIn, err error) (answer, error) {
	return answer{body: sessionOf(s), position: s.Position}, err
}

func sessionOf(s commands.SignedIn) sessionBody {
	return sessionBody{Token: s.Token, ExpiresAt: s.ExpiresAt, AccountID: s.AccountID, SessionID: s.SessionID, MustChangePassword: s.MustChangePassword}
}
