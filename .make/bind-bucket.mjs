// Binds the bucket of a running deployment to its database: both get the same id, and the sweep may repair. Needed after a
// bucket was copied or a database restored, and once for a deployment that has no id yet.
const { BIND_URL: url, BIND_TOKEN: token } = process.env;
if (!url || !token) fail("URL and the TOKEN of an administrator are required: make bind-bucket URL=https://image.the-form TOKEN=…");

const answer = await fetch(new URL("/admin/api/bucket", url), { method: "POST", headers: { Authorization: `Bearer ${token}` } }).catch((error) => {
  fail(`${url} cannot be reached: ${error.cause?.code ?? error.message}.`);
});
const json = await answer.json().catch(() => ({}));
if (answer.status !== 200) fail(`The deployment answers ${answer.status} ${json.code ?? ""}: ${json.detail ?? ""}`);
if (json.data.bucket !== "bound") fail(`The bucket is still "${json.data.bucket}". Its policy must allow reading and writing deployment-id (docs/deploy/iam-policy.json).`);
console.log(json.data.before === "bound" ? "The bucket belonged to the database already." : "The bucket belongs to the database now.");

function fail(sentence) {
  console.error(sentence);
  process.exit(1);
}
