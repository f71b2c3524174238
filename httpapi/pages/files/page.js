// Each page does one step: the token from the link, what the person types, one
// call of the API, and what came of it.
"use strict";
(() => {
  const texts = {
    en: {
      "verify": "Confirm your e-mail address",
      "verify.intro": "Enter the password that you chose when you signed up.",
      "verify.submit": "Confirm",
      "verify.done": "Your address is confirmed",
      "verify.done.detail": "You can sign in now. You may close this page.",
      "reset-password": "Set a new password",
      "reset-password.intro": "Every session of your account ends when you set it.",
      "reset-password.submit": "Set password",
      "reset-password.done": "Your new password is set",
      "reset-password.done.detail": "Sign in with it. You may close this page.",
      "reset-password.ask": "Enter your e-mail address. If there is an account with it, we send a link to set a new password.",
      "reset-password.send": "Send the link",
      "reset-password.sent": "Look into your mailbox",
      "reset-password.sent.detail": "If there is an account with this address, the mail is on its way. You may close this page.",
      "sign-in": "Sign in",
      "sign-in.intro": "See the organizations that you are a member of.",
      "sign-in.submit": "Sign in",
      "sign-in.done": "You are signed in",
      "sign-in.done.detail": "You are a member of these organizations. You may close this page.",
      "sign-in.none": "You are a member of no organization yet. You may close this page.",
      "accept-invitation": "Accept an invitation",
      "accept-invitation.known": "You have an account with this address: enter its password to accept.",
      "accept-invitation.new": "Choose your name and a password for your new account.",
      "accept-invitation.unproven": "This link was passed on to you. Enter the password of your account with this address to accept. If you have none, open the link in the mail that was sent there, or sign up and prove the address first.",
      "accept-invitation.submit": "Accept",
      "accept-invitation.decline": "Decline",
      "accept-invitation.at": "This invitation is for an account at a provider: sign in there to accept.",
      "accept-invitation.done": "Welcome!",
      "accept-invitation.done.detail": "You are a member now. You may close this page.",
      "accept-invitation.declined": "You have declined",
      "accept-invitation.declined.detail": "The link does not work any more. You may close this page.",
      "confirm-transfer": "Confirm the transfer of ownership",
      "confirm-transfer.intro": "When you confirm, the other member becomes the owner of the organization, and you an administrator. Only the new owner can undo this.",
      "confirm-transfer.submit": "Transfer the ownership",
      "confirm-transfer.done": "The ownership is transferred",
      "confirm-transfer.done.detail": "You may close this page.",
      "join-requests": "Requests to join",
      "join-requests.intro": "Sign in to decide on the requests to join your organization.",
      "join-requests.sign-in": "Sign in",
      "join-requests.choose": "Choose whom to let in, or to turn away. The others go on waiting.",
      "join-requests.submit": "Approve",
      "join-requests.reject": "Reject",
      "join-requests.nobody": "Choose at least one request",
      "join-requests.nobody.detail": "Nothing was decided.",
      "join-requests.none": "No request is waiting",
      "join-requests.none.detail": "All are decided. You may close this page.",
      "join-requests.done": "You have decided",
      "join-requests.done.detail": "You may close this page, or open the link again to see who still waits.",
      "provider.with": "Continue with", "provider.gone": "This provider is not set up any more", "provider.gone.detail": "Ask the organization for another invitation.",
      "organization": "Organization", "role": "Role", "email": "E-mail", "until": "Valid until",
      "password": "Password", "new_password": "New password", "display_name": "Your name", "hint": "At least 10 characters.",
      "link.title": "This link is incomplete", "link.detail": "Open the link in the mail again, or copy the whole of it.",
      "offline.title": "The server cannot be reached", "offline.detail": "Check your connection and try again.",
    },
    fr: {
      "verify": "Confirmez votre adresse e-mail",
      "verify.intro": "Saisissez le mot de passe choisi à l’inscription.",
      "verify.submit": "Confirmer",
      "verify.done": "Votre adresse est confirmée",
      "verify.done.detail": "Vous pouvez maintenant vous connecter. Vous pouvez fermer cette page.",
      "reset-password": "Choisissez un nouveau mot de passe",
      "reset-password.intro": "Toutes les sessions de votre compte prennent fin à ce moment.",
      "reset-password.submit": "Enregistrer",
      "reset-password.done": "Votre nouveau mot de passe est enregistré",
      "reset-password.done.detail": "Connectez-vous avec lui. Vous pouvez fermer cette page.",
      "reset-password.ask": "Saisissez votre adresse e-mail. S’il existe un compte avec cette adresse, nous envoyons un lien pour choisir un nouveau mot de passe.",
      "reset-password.send": "Envoyer le lien",
      "reset-password.sent": "Consultez votre messagerie",
      "reset-password.sent.detail": "S’il existe un compte avec cette adresse, le message est en route. Vous pouvez fermer cette page.",
      "sign-in": "Se connecter",
      "sign-in.intro": "Voyez les organisations dont vous êtes membre.",
      "sign-in.submit": "Se connecter",
      "sign-in.done": "Vous êtes connecté",
      "sign-in.done.detail": "Vous êtes membre de ces organisations. Vous pouvez fermer cette page.",
      "sign-in.none": "Vous n’êtes encore membre d’aucune organisation. Vous pouvez fermer cette page.",
      "accept-invitation": "Accepter une invitation",
      "accept-invitation.known": "Vous avez un compte avec cette adresse : saisissez son mot de passe pour accepter.",
      "accept-invitation.new": "Choisissez votre nom et un mot de passe pour votre nouveau compte.",
      "accept-invitation.unproven": "Ce lien vous a été transmis. Saisissez le mot de passe de votre compte avec cette adresse pour accepter. Si vous n’en avez pas, ouvrez le lien du courriel envoyé à cette adresse, ou inscrivez-vous et prouvez d’abord l’adresse.",
      "accept-invitation.submit": "Accepter",
      "accept-invitation.decline": "Refuser",
      "accept-invitation.at": "Cette invitation est destinée à un compte chez un fournisseur : connectez-vous chez lui pour accepter.",
      "accept-invitation.done": "Bienvenue !",
      "accept-invitation.done.detail": "Vous êtes maintenant membre. Vous pouvez fermer cette page.",
      "accept-invitation.declined": "Vous avez refusé",
      "accept-invitation.declined.detail": "Le lien ne fonctionne plus. Vous pouvez fermer cette page.",
      "confirm-transfer": "Confirmez le transfert de propriété",
      "confirm-transfer.intro": "Si vous confirmez, l’autre membre devient propriétaire de l’organisation, et vous administrateur. Seul le nouveau propriétaire peut revenir en arrière.",
      "confirm-transfer.submit": "Transférer la propriété",
      "confirm-transfer.done": "La propriété est transférée",
      "confirm-transfer.done.detail": "Vous pouvez fermer cette page.",
      "join-requests": "Demandes d’adhésion",
      "join-requests.intro": "Connectez-vous pour décider des demandes d’adhésion à votre organisation.",
      "join-requests.sign-in": "Se connecter",
      "join-requests.choose": "Choisissez qui admettre, ou refuser. Les autres continuent d’attendre.",
      "join-requests.submit": "Accepter",
      "join-requests.reject": "Refuser",
      "join-requests.nobody": "Choisissez au moins une demande",
      "join-requests.nobody.detail": "Rien n’a été décidé.",
      "join-requests.none": "Aucune demande en attente",
      "join-requests.none.detail": "Toutes sont traitées. Vous pouvez fermer cette page.",
      "join-requests.done": "Vous avez décidé",
      "join-requests.done.detail": "Vous pouvez fermer cette page, ou rouvrir le lien pour voir qui attend encore.",
      "provider.with": "Continuer avec", "provider.gone": "Ce fournisseur n’est plus configuré", "provider.gone.detail": "Demandez une autre invitation à l’organisation.",
      "organization": "Organisation", "role": "Rôle", "email": "E-mail", "until": "Valable jusqu’au",
      "password": "Mot de passe", "new_password": "Nouveau mot de passe", "display_name": "Votre nom", "hint": "Au moins 10 caractères.",
      "link.title": "Ce lien est incomplet", "link.detail": "Ouvrez à nouveau le lien du message, ou copiez-le en entier.",
      "offline.title": "Le serveur est injoignable", "offline.detail": "Vérifiez votre connexion et réessayez.",
    },
  };
  const language = (navigator.languages || [navigator.language]).map((l) => l.slice(0, 2)).find((l) => l in texts) || "en";
  const say = (key) => texts[language][key];
  const page = document.body.dataset.page;
  const main = document.querySelector("main");
  const fragment = new URLSearchParams(location.hash.slice(1));
  // A sign-in with a provider leaves the page and comes back to it with a code:
  // what it has to know then stays in this tab meanwhile.
  const code = fragment.get("code") || "";
  const kept = JSON.parse((code && sessionStorage.getItem("login")) || "{}");
  sessionStorage.removeItem("login");
  const token = fragment.get("token") || kept.token || "";
  const organization = fragment.get("organization") || kept.organization || "";
  const back = token ? `#token=${token}` : organization ? `#organization=${organization}` : "";
  if (code) history.replaceState(null, "", location.pathname + back);

  const make = (name, attributes = {}, ...children) => {
    const e = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) e.setAttribute(key, value);
    e.append(...children);
    return e;
  };

  // call answers with the body of a success, and throws the problem otherwise.
  // Without a body it reads.
  const call = async (path, body, session) => {
    let response;
    try {
      response = await fetch(path, {
        method: body ? "POST" : "GET",
        headers: { ...(body && { "Content-Type": "application/json" }), ...(session && { Authorization: `Bearer ${session}` }) },
        body: body && JSON.stringify(body),
      });
    } catch {
      throw { title: say("offline.title"), detail: say("offline.detail") };
    }
    const text = await response.text();
    const answer = text ? JSON.parse(text) : {};
    if (!response.ok) throw answer;
    return answer;
  };

  // end signs out: this page does one step and keeps no session.
  const end = (session) => fetch("v1/sessions/current", { method: "DELETE", headers: { Authorization: `Bearer ${session.token}` } }).catch(() => {});

  const heading = () => make("h1", {}, say(page));
  const note = (kind, title, detail) => make("div", { class: kind, role: kind === "problem" ? "alert" : "status" }, make("strong", {}, title), detail);
  const show = (...content) => main.replaceChildren(heading(), ...content);
  const done = (key) => show(note("done", say(key), say(`${key}.detail`)));

  const problem = (p) => {
    const box = note("problem", p.title || say("offline.title"), p.detail || say("offline.detail"));
    const more = (p.errors || []).filter((e) => e.message !== p.detail);
    if (more.length) box.append(make("ul", {}, ...more.map((e) => make("li", {}, `${say(e.field) || e.field}: ${e.message}`))));
    return box;
  };

  const field = (name, label, autocomplete, hint) => {
    const type = name.includes("password") ? "password" : name === "email" ? "email" : "text";
    const input = make("input", { name, type, autocomplete, required: "", maxlength: "256" });
    const wrapped = make("label", {}, say(label), input);
    if (hint) {
      wrapped.append(make("small", { id: `${name}-hint` }, hint));
      input.setAttribute("aria-describedby", `${name}-hint`);
    }
    return wrapped;
  };

  // form asks for fields and hands what was typed to submit; a problem is shown
  // above it, and the form stays.
  const form = (fields, submit, second, label = `${page}.submit`) => {
    const buttons = [make("button", { type: "submit" }, say(label))];
    if (second) buttons.push(second.button);
    const f = make("form", {}, ...fields, ...buttons);
    const run = async (what) => {
      f.previousElementSibling?.classList.contains("problem") && f.previousElementSibling.remove();
      buttons.forEach((b) => (b.disabled = true));
      try {
        await what(Object.fromEntries(new FormData(f)));
      } catch (p) {
        const at = new Set((p.errors || []).map((e) => e.field));
        f.querySelectorAll("input").forEach((i) => i.setAttribute("aria-invalid", String(at.has(i.name))));
        f.before(problem(p));
        f.querySelector("input")?.focus();
      }
      buttons.forEach((b) => (b.disabled = false));
    };
    f.addEventListener("submit", (event) => {
      event.preventDefault();
      run(submit);
    });
    second?.button.addEventListener("click", () => run(second.run));
    return f;
  };

  const base64url = (bytes) => btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

  // leave goes to the provider, which sends the browser back to this page.
  const leave = async (provider) => {
    const verifier = base64url(crypto.getRandomValues(new Uint8Array(32)));
    const challenge = base64url(new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier))));
    sessionStorage.setItem("login", JSON.stringify({ verifier, token, organization }));
    const query = new URLSearchParams({ return_to: location.origin + location.pathname, challenge });
    location.assign(`v1/oidc/${provider.name}/login?${query}`);
  };

  // providers are buttons, one for each; only the named one where there is a name.
  const providers = async (name) => {
    const all = (await call("v1/oidc/providers")).items;
    const shown = crypto.subtle ? all.filter((p) => !name || p.name === name) : []; // browsers hash on https and this machine only
    return shown.map((p) => {
      const button = make("button", { type: "button", class: "second" }, `${say("provider.with")} ${p.label}`);
      button.addEventListener("click", () => leave(p));
      return make("p", {}, button);
    });
  };

  const exchange = (invitation) => call("v1/sessions/exchange", { code, verifier: kept.verifier || "", language, ...(invitation && { invitation }) });

  // welcome shows where the person who has just signed in is a member, and ends
  // the session.
  const welcome = async (session) => {
    const mine = await call("v1/me/organizations", undefined, session.token).finally(() => end(session));
    const names = mine.items.map((o) => make("li", {}, `${o.name} (${o.roles.join(", ")})`));
    show(note("done", say("sign-in.done"), say(names.length ? "sign-in.done.detail" : "sign-in.none")), make("ul", {}, ...names));
  };

  // decide shows the requests to join, a page of them, and ends the session when
  // some are decided or nothing can be.
  const decide = async (session) => {
    const path = `v1/organizations/${encodeURIComponent(organization)}/join-requests`;
    const open = await call(`${path}?limit=50`, undefined, session.token).catch((p) => end(session).then(() => { throw p; }));
    if (!open.items.length) return end(session).then(() => done("join-requests.none"));
    const people = open.items.map((m) => make("label", { class: "choice" }, make("input", { type: "checkbox", name: m.account_id }), `${m.display_name} (${m.email})`));
    const all = (decision) => async (chosen) => {
      const decisions = Object.keys(chosen).map((account_id) => ({ account_id, decision }));
      if (!decisions.length) throw { title: say("join-requests.nobody"), detail: say("join-requests.nobody.detail") };
      const { results } = await call(`${path}/decide`, { decisions }, session.token);
      await end(session);
      const refused = results.filter((r) => r.problem).map((r) => note("problem", open.items.find((m) => m.account_id === r.account_id).display_name, r.problem.detail));
      show(note("done", say("join-requests.done"), say("join-requests.done.detail")), ...refused);
    };
    const button = make("button", { type: "button", class: "second" }, say("join-requests.reject"));
    show(make("p", {}, say("join-requests.choose")), form(people, all("approve"), { button, run: all("reject") }));
  };

  const steps = {
    "verify": () => show(make("p", {}, say("verify.intro")), form([field("password", "password", "current-password")], async ({ password }) => {
      await end(await call("v1/accounts/verify", { token, password }));
      done("verify.done");
    })),

    "reset-password": () => {
      if (!token) {
        const ask = async ({ email }) => {
          await call("v1/password-resets", { email });
          done("reset-password.sent");
        };
        show(make("p", {}, say("reset-password.ask")), form([field("email", "email", "username")], ask, undefined, "reset-password.send"));
        return;
      }
      show(make("p", {}, say("reset-password.intro")), form([field("password", "new_password", "new-password", say("hint"))], async ({ password }) => {
        await call("v1/password-resets/confirm", { token, password });
        done("reset-password.done");
      }));
    },

    "sign-in": async () => {
      const others = await providers();
      const ask = (...before) => show(...before, make("p", {}, say("sign-in.intro")), form([field("email", "email", "username"), field("password", "password", "current-password")], async ({ email, password }) => {
        await welcome(await call("v1/sessions", { email, password }));
      }), ...others);
      if (!code) return ask();
      try {
        await welcome((await exchange()).session);
      } catch (p) {
        ask(problem(p));
      }
    },

    "confirm-transfer": () => show(make("p", {}, say("confirm-transfer.intro")), form([], async () => {
      await call("v1/ownership-transfers/confirm", { token });
      done("confirm-transfer.done");
    })),

    "join-requests": async () => {
      const others = await providers();
      const ask = (...before) => show(...before, make("p", {}, say("join-requests.intro")), form([field("email", "email", "username"), field("password", "password", "current-password")], async ({ email, password }) => {
        await decide(await call("v1/sessions", { email, password }));
      }, undefined, "join-requests.sign-in"), ...others);
      if (!code) return ask();
      try {
        await decide((await exchange()).session);
      } catch (p) {
        ask(problem(p));
      }
    },

    "accept-invitation": async () => {
      let refused;
      if (code) {
        try {
          await end((await exchange(token)).session);
          return done("accept-invitation.done");
        } catch (p) {
          refused = problem(p);
        }
      }
      const invitation = await call("v1/invitations/lookup", { token });
      const row = (label, value) => [make("dt", {}, say(label)), make("dd", {}, value)];
      const until = new Date(invitation.expires_at).toLocaleString(language, { dateStyle: "long", timeStyle: "short" });
      const facts = make("dl", {}, ...row("organization", invitation.organization_name), ...row("role", invitation.roles.join(", ")), ...(invitation.email ? row("email", invitation.email) : []), ...row("until", until));
      const known = invitation.has_account || !invitation.proves_address;
      const others = await providers(invitation.provider);
      const before = refused ? [refused, facts] : [facts];
      const fields = known
        ? [field("password", "password", "current-password")]
        : [field("display_name", "display_name", "name"), field("password", "password", "new-password", say("hint"))];
      const accept = async (typed) => {
        if (known) {
          const session = await call("v1/sessions", { email: invitation.email, password: typed.password });
          await call("v1/invitations/accept", { token }, session.token).finally(() => end(session));
        } else {
          const accepted = await call("v1/invitations/accept", { token, language, ...typed });
          if (accepted.session) await end(accepted.session);
        }
        done("accept-invitation.done");
      };
      const decline = async () => {
        await call("v1/invitations/decline", { token });
        done("accept-invitation.declined");
      };
      const button = make("button", { type: "button", class: "second" }, say("accept-invitation.decline"));
      if (!invitation.provider) {
        return show(...before, make("p", {}, say(!invitation.proves_address ? "accept-invitation.unproven" : known ? "accept-invitation.known" : "accept-invitation.new")), form(fields, accept, { button, run: decline }), ...others);
      }
      if (!others.length) return show(...before, note("problem", say("provider.gone"), say("provider.gone.detail")));
      show(...before, make("p", {}, say("accept-invitation.at")), ...others);
    },
  };

  addEventListener("hashchange", () => location.reload()); // another link in the same tab
  document.documentElement.lang = language;
  document.title = `${say(page)} – Tenure`;
  if (!(page === "join-requests" ? organization : token) && !["sign-in", "reset-password"].includes(page)) {
    show(note("problem", say("link.title"), say("link.detail")));
    return;
  }
  Promise.resolve().then(steps[page]).catch((p) => show(problem(p)));
})();
