// A certified OpenID provider for the acceptance tests. It knows one client,
// whose redirect URI is the argument, and everybody: the login is the e-mail
// address, which counts as verified unless it begins with "unverified".
import { createServer } from "node:http";
import Provider from "oidc-provider";

const server = createServer().listen(0, "127.0.0.1", () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients: [{ client_id: "tenure", client_secret: "a secret of the client", redirect_uris: [process.argv[2]], grant_types: ["authorization_code"] }],
    claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name", "preferred_username"] },
    cookies: { keys: ["a key of the cookies"] },
    pkce: { required: () => true },
    findAccount: (_, id) => ({
      accountId: id,
      claims: () => ({ sub: id, email: id, email_verified: !id.startsWith("unverified"), name: `Name of ${id}`, preferred_username: id }),
    }),
  });
  server.on("request", provider.callback());
  console.log(`issuer ${issuer}`);
});
process.stdin.on("end", () => process.exit()).resume(); // ends with the test
