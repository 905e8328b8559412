// Says to a running deployment that its bucket belongs to its database: both get the same id, and repairs may
// begin. To be used after a bucket was copied or a database restored, and once for deployments from before there were ids.
const { BIND_URL: url, BIND_TOKEN: token } = process.env;
if (!url || !token) fail("Say which deployment, and give a token of an administrator: make bind-bucket URL=https://image.the-form TOKEN=…");

const answer = await fetch(new URL("/admin/api/bucket", url), { method: "POST", headers: { Authorization: `Bearer ${token}` } }).catch((error) => {
  fail(`${url} cannot be reached: ${error.cause?.code ?? error.message}.`);
});
const json = await answer.json().catch(() => ({}));
if (answer.status !== 200) fail(`It answers ${answer.status} ${json.code ?? ""}: ${json.detail ?? ""}`);
if (json.data.bucket !== "bound") fail(`The bucket is still "${json.data.bucket}": its policy has to allow reading and writing deployment-id (docs/deploy/iam-policy.json).`);
console.log(json.data.before === "bound" ? "The bucket belonged to the database already." : "The bucket belongs to the database now.");

function fail(sentence) {
  console.error(sentence);
  process.exit(1);
}
