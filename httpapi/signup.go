package httpapi

import (
	"context"
	"net/http"
	"time"

	"tenure/commands"
	"tenure/domain"
)

type signUpBody struct {
	Email       string `json:"email" maxLength:"254" doc:"Where the link that proves the address is sent."`
	DisplayName string `json:"display_name" maxLength:"400" doc:"How others see the person; at most 100 characters."`
	Password    string `json:"password" maxLength:"256" doc:"At least 10 characters."`
	Language    string `json:"language,omitempty" maxLength:"35" doc:"Of mails, as a BCP 47 tag. Default: what the browser asks for."`
}

type statusBody struct {
	Status string `json:"status" enum:"verification_sent,reset_sent"`
}

type verifyBody struct {
	Token    string `json:"token" maxLength:"200" doc:"From the link in the mail."`
	Password string `json:"password" maxLength:"256" doc:"The one that was chosen at sign-up."`
}

type resetRequestBody struct {
	Email string `json:"email" maxLength:"254"`
}

type resetBody struct {
	Token    string `json:"token" maxLength:"200" doc:"From the link in the mail."`
	Password string `json:"password" maxLength:"256" doc:"The new one; at least 10 characters."`
}

// answerAfter is how long a sign-up and a request for a new password take at
// least, so that the time does not tell whether an account has the address.
const answerAfter = 100 * time.Millisecond

func evenly(ctx context.Context, run func() error) error {
	answered := time.After(answerAfter)
	err := run()
	select {
	case <-answered:
	case <-ctx.Done():
	}
	return err
}

const exampleToken = "tnr_ver_AgGQ1aGKUn8QscNdfp8qSyIAAAAAAAAAAAAAAAAAAAAAAAAAAQECAwQFBgcICQoLDA0ODxA"

func (a *API) addSignUp() {
	add(a, route{
		id: "sign-up", method: http.MethodPost, path: "/v1/accounts", tag: "Accounts", access: Public(), status: http.StatusAccepted,
		summary:     "Open an account",
		description: "Sends a mail with a link that proves the address. The answer is the same whether or not somebody has an account with the address: its owner is told by mail.",
		codes:       []domain.Code{domain.CodeTooManyAttempts},
		request:     signUpBody{"ada@example.com", "Ada Lovelace", "correct horse battery", "en"},
		response:    statusBody{"verification_sent"},
	}, a.signUp)
	add(a, route{
		id: "verify-email", method: http.MethodPost, path: "/v1/accounts/verify", tag: "Accounts", access: Link(), status: http.StatusCreated,
		summary:     "Prove the address of an account",
		description: "Uses the link of the mail up, together with the password chosen at sign-up, and signs in.",
		codes: []domain.Code{
			domain.CodeTooManyAttempts, domain.CodeLinkInvalid, domain.CodeLinkExpired, domain.CodeAlreadyVerified, domain.CodeCredentialsWrong, domain.CodeNotFound,
		},
		request:  verifyBody{exampleToken, "correct horse battery"},
		response: exampleSessionBody(),
	}, a.verifyEmail)
	add(a, route{
		id: "request-password-reset", method: http.MethodPost, path: "/v1/password-resets", tag: "Accounts", access: Public(), status: http.StatusAccepted,
		summary:     "Ask for a link to set a new password",
		description: "The answer is the same whether or not somebody has an account with the address.",
		codes:       []domain.Code{domain.CodeTooManyAttempts},
		request:     resetRequestBody{"ada@example.com"},
		response:    statusBody{"reset_sent"},
	}, a.requestReset)
	add(a, route{
		id: "reset-password", method: http.MethodPost, path: "/v1/password-resets/confirm", tag: "Accounts", access: Link(), status: http.StatusNoContent,
		summary:     "Set a new password by a link",
		description: "Uses the link of the mail up and ends every session of the account.",
		codes:       []domain.Code{domain.CodeTooManyAttempts, domain.CodeLinkInvalid, domain.CodeLinkExpired, domain.CodeNotFound},
		request:     resetBody{exampleToken, "another correct horse"},
	}, a.resetPassword)
}

func (a *API) signUp(ctx context.Context, c *call, in *struct {
	NewHeaders
	Body signUpBody
}) (answer, error) {
	var k checks
	who := commands.Registrant{
		Email: k.email("email", in.Body.Email), DisplayName: k.displayName("display_name", in.Body.DisplayName), Password: in.Body.Password,
		Language: k.language("language", in.Body.Language, preferredLanguage(c.fiber.Get("Accept-Language"))),
	}
	k.password("password", in.Body.Password)
	if err := k.err(); err != nil {
		return answer{}, err
	}
	if err := a.charge(ctx, a.signUpBudgets(c, who.Email)...); err != nil {
		return answer{}, err
	}
	do, r, err := a.request(c, "")
	if err != nil {
		return answer{}, err
	}
	err = evenly(ctx, func() error {
		_, err := do.SignUp(ctx, r, who)
		return err
	})
	return answer{body: statusBody{"verification_sent"}}, err
}

func (a *API) signUpBudgets(c *call, email domain.Email) []budget {
	t := a.config.Throttle
	return []budget{a.perAddress(c, "sign up", t.SignUpPerAddress), a.perEmail("sign up", email, t.SignUpPerEmail)}
}

func (a *API) linkBudgets(c *call) []budget {
	return []budget{a.perAddress(c, "links", a.config.Throttle.LinksPerAddress)}
}

func (a *API) verifyEmail(ctx context.Context, c *call, in *struct {
	NewHeaders
	Body verifyBody
}) (answer, error) {
	do, r, err := a.request(c, "")
	if err != nil {
		return answer{}, err
	}
	session, err := charged(ctx, a, a.linkBudgets(c), func() (commands.SignedIn, error) {
		return do.VerifyEmail(ctx, r, in.Body.Token, in.Body.Password)
	})
	return signedIn(session, err)
}

func (a *API) requestReset(ctx context.Context, c *call, in *struct {
	NewHeaders
	Body resetRequestBody
}) (answer, error) {
	var k checks
	email := k.email("email", in.Body.Email)
	if err := k.err(); err != nil {
		return answer{}, err
	}
	if err := a.charge(ctx, a.signUpBudgets(c, email)...); err != nil {
		return answer{}, err
	}
	do, r, err := a.request(c, "")
	if err != nil {
		return answer{}, err
	}
	err = evenly(ctx, func() error {
		_, err := do.RequestPasswordReset(ctx, r, email)
		return err
	})
	return answer{body: statusBody{"reset_sent"}}, err
}

func (a *API) resetPassword(ctx context.Context, c *call, in *struct {
	NewHeaders
	Body resetBody
}) (answer, error) {
	var k checks
	k.password("password", in.Body.Password)
	if err := k.err(); err != nil {
		return answer{}, err
	}
	do, r, err := a.request(c, "")
	if err != nil {
		return answer{}, err
	}
	receipt, err := charged(ctx, a, a.linkBudgets(c), func() (commands.Receipt, error) {
		return do.ResetPassword(ctx, r, in.Body.Token, in.Body.Password)
	})
	return answer{position: receipt.Position}, err
}
