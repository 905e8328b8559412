// What the manifests of the npm packages have in common when they are packed.

/** The manifest with the repository that publishes it: npm compares it with the provenance. */
export function withRepository(manifest, folder, { GITHUB_SERVER_URL: server, GITHUB_REPOSITORY: name } = process.env) {
  return name ? { ...manifest, repository: { type: "git", url: `git+${server}/${name}.git`, directory: folder } } : manifest;
}
