# Operating a deployment: deploy, delete, check from outside, rotate keys, name administrators, keep the list of erased users, bind a bucket.

ENV ?= staging

.PHONY: deploy destroy
# In the environment, because every process of the machine can read arguments.
deploy: export DOCTOR_TOKEN = $(TOKEN)
deploy: export DOCTOR_ADMIN_TOKEN = $(ADMIN_TOKEN)
deploy: export ORIGIN := $(ORIGIN)
deploy: export FORM := $(FORM)
deploy: setup edge www ## Deploy to Cloudflare, also into an empty account, and roll back if the doctor finds a problem (ENV=staging or production; STEPS=10,50,100 PAUSE=300, URL=…, ORIGIN=…, FORM=…, TOKEN=…)
	@node .make/deploy.mjs --env "$(ENV)" $(if $(URL),--url "$(URL)") $(if $(STEPS),--steps "$(STEPS)") $(if $(PAUSE),--pause "$(PAUSE)")

destroy: $(STAMPS)/node ## Delete a deployment with its database and bucket (ENV=…); asks twice
	@node .make/destroy.mjs --env "$(ENV)"

.PHONY: rotate
# The secrets of webhooks are in the environment, because every process of the machine can read arguments.
rotate: export WEBHOOK_SECRET := $(WEBHOOK_SECRET)
rotate: $(STAMPS)/node ## Rotate the signing key of a deployment, with URLS=1 that of signed URLs, or with WEBHOOK=1 the secret of events (ENV=…; LEAKED=1 if it leaked, FIRST=1 if it has none, DRY_RUN=1)
	@node .make/rotate.mjs --env "$(ENV)" $(if $(URL),--url "$(URL)") $(if $(URLS),--urls) $(if $(LEAKED),--leaked) $(if $(FIRST),--first) $(if $(WEBHOOK),--webhook) $(if $(DROP),--drop) $(if $(DRY_RUN),--dry-run)

.PHONY: doctor
# In the environment, because every process of the machine can read arguments.
doctor: export DOCTOR_TOKEN = $(TOKEN)
doctor: export DOCTOR_ADMIN_TOKEN = $(ADMIN_TOKEN)
doctor: $(STAMPS)/node ## Check a deployment from outside (URL=…, ORIGIN=… of your pages, TOKEN=… of a user, FORM=… to upload to, ADMIN_TOKEN=… sends a test event)
	@node .make/doctor.mjs --url "$(URL)" $(if $(ORIGIN),--origin "$(ORIGIN)") $(if $(FORM),--form "$(FORM)")

.PHONY: admin
admin: $(STAMPS)/node .wrangler/migrated ## Make an account an administrator (EMAIL=…; locally, or ENV=staging REMOTE=1)
	@node .make/admin.mjs --email "$(EMAIL)" $(if $(REMOTE),--env "$(ENV)") $(if $(STATE),--state "$(STATE)")

.PHONY: erased
erased: $(STAMPS)/node .wrangler/migrated ## Save the list of erased users (SAVE=file), or load it into a restored database (LOAD=file; locally, or ENV=… REMOTE=1)
	@node .make/erased.mjs $(if $(SAVE),--save "$(SAVE)") $(if $(LOAD),--load "$(LOAD)") $(if $(REMOTE),--env "$(ENV)") $(if $(STATE),--state "$(STATE)")

.PHONY: backup restore
backup: $(STAMPS)/node .wrangler/migrated ## Back up the database and the list of erased users to a new folder (TO=…; locally, or ENV=… REMOTE=1)
	@node .make/backup.mjs --to "$(TO)" $(if $(REMOTE),--env "$(ENV)") $(if $(STATE),--state "$(STATE)")

restore: $(STAMPS)/node ## Restore a backup into an empty database, and erase again who was erased since (FROM=…, ERASED=newer list; locally, or ENV=… REMOTE=1)
	@node --disable-warning=ExperimentalWarning .make/restore.mjs --from "$(FROM)" $(if $(ERASED),--erased "$(ERASED)") $(if $(REMOTE),--env "$(ENV)") $(if $(STATE),--state "$(STATE)")

.PHONY: copy-pictures
copy-pictures: rclone ## Copy all pictures to another bucket and compare them (FROM=r2:bucket TO=backup:bucket, remotes of rclone; WITH_ID=1 also the deployment id)
	@node .make/copy-pictures.mjs --from "$(FROM)" --to "$(TO)" $(if $(WITH_ID),--with-id)

.PHONY: audit-export
# In the environment, because every process of the machine can read arguments.
audit-export: export AUDIT_TOKEN = $(TOKEN)
audit-export: $(STAMPS)/node ## Write the audit log as one JSON object a line (URL=…, TOKEN=… of an administrator, TO=file)
	@node .make/audit-export.mjs --url "$(URL)" --to "$(TO)"

.PHONY: bind-bucket
# In the environment, because every process of the machine can read arguments.
bind-bucket: export BIND_URL = $(URL)
bind-bucket: export BIND_TOKEN = $(TOKEN)
bind-bucket: $(STAMPS)/node ## Bind the bucket of a deployment to its database (URL=…, TOKEN=… of an administrator)
	@node .make/bind-bucket.mjs

.PHONY: demo-forms
# In the environment, because every process of the machine can read arguments.
demo-forms: export TOKEN := $(TOKEN)
demo-forms: $(STAMPS)/node ## Create the forms of the demo page at a deployment (URL=…, TOKEN=… of a back end or an administrator)
	@node .make/demo-forms.mjs --url "$(URL)"
