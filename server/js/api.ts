// Generated from www/openapi.json by `make api-types`: the requests and responses of the operations that this package calls.
export interface paths {
    "/images": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List pictures */
        get: operations["listImages"];
        put?: never;
        post?: never;
        /** Delete a picture by its key */
        delete: operations["deleteImageByKey"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/images/metadata": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Keep an unclaimed picture */
        post: operations["registerImage"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/images/delete": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Delete many pictures */
        post: operations["deleteImages"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/images/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Read the record of a picture */
        get: operations["readImage"];
        put?: never;
        post?: never;
        /** Delete a picture */
        delete: operations["deleteImage"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/images/{id}/url": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Get a URL of a private picture, or of any size */
        post: operations["signImageUrl"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/images/{id}/release": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Release a picture */
        post: operations["releaseImage"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/images/{id}/refuse": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Refuse a picture */
        post: operations["refuseImage"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/removals/{removalId}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Read the progress of a deletion or erasure */
        get: operations["readRemoval"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/uploads/tickets": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Get a ticket for one upload */
        post: operations["issueTicket"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/forms": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List forms */
        get: operations["listForms"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/forms/{formId}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Read the policy of a form */
        get: operations["readForm"];
        /** Write the policy of a form */
        put: operations["putForm"];
        post?: never;
        /** Close a form */
        delete: operations["closeForm"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/users/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /** Erase a user */
        delete: operations["eraseUser"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/users/{id}/export": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Export everything about a user */
        get: operations["exportUser"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /**
         * @description Error code from a fixed list. `x-codes` has the sentences and back-end codes.
         * @enum {unknown}
         */
        Code: "TOKEN_MISSING" | "TOKEN_EXPIRED" | "TOKEN_INVALID" | "CREDENTIALS_INVALID" | "EMAIL_TAKEN" | "ALREADY_LOGGED_IN" | "ROLE_NOT_ALLOWED" | "USER_MISMATCH" | "USER_BANNED" | "TICKET_REQUIRED" | "TICKET_SPENT" | "GUEST_NOT_ALLOWED" | "CHALLENGE_REQUIRED" | "EMAIL_NOT_VERIFIED" | "LINK_INVALID" | "SIGN_IN_FAILED" | "PASSWORD_COMMON" | "USER_ERASING" | "FILE_MISSING" | "FILE_TOO_LARGE" | "INVALID_FILE_TYPE" | "INVALID_FILE_SIGNATURE" | "INVALID_IMAGE_URL" | "IMAGE_CORRUPT" | "IMAGE_TOO_LARGE" | "IMAGE_NOT_FOUND" | "IMAGE_ALREADY_REGISTERED" | "IMAGE_DIMENSIONS" | "SIGNATURE_INVALID" | "ADDRESS_EXPIRED" | "REVIEW_DECIDED" | "FORM_NOT_FOUND" | "FORM_CLOSED" | "FORM_FULL" | "FORM_REQUIRED" | "MALFORMED_REQUEST" | "NOT_FOUND" | "METHOD_NOT_ALLOWED" | "REQUEST_TIMEOUT" | "RATE_LIMITED" | "QUOTA_EXCEEDED" | "BUSY" | "STORAGE_UNAVAILABLE" | "UPLOADS_OFF" | "INTERNAL";
        FormId: string;
        UserId: string;
        /** @description Start of a page of a list. */
        Cursor: string;
        /** @description Store this in your database, not the URL: the domain may change. */
        Key: string;
        Images: {
            images: components["schemas"]["Image"][];
            /** @description `cursor` of the next page; `null` on the last page. */
            nextCursor: components["schemas"]["Cursor"] | null;
        };
        Image: {
            imageId: components["schemas"]["ImageId"];
            imageUrl: components["schemas"]["ImageUrl"];
            /** @enum {unknown} */
            visibility: "public" | "private";
            /** @description `held`: waits for a review. `null` when the form has none. */
            review: ("held" | "released" | "refused") | null;
            /** @description Why the picture was refused. */
            reviewReason: string | null;
            /** @description A URL with which the picture can be read for at least an hour. `null` for a picture that has a public URL or is gone. */
            signedUrl: string | null;
            /** @description The same for `v=thumb`. */
            signedThumbnailUrl: string | null;
            key: components["schemas"]["Key"];
            userId: components["schemas"]["UserId"];
            formId: components["schemas"]["FormId"] | null;
            fileSize: number;
            originalFilename: string | null;
            /** @enum {unknown} */
            contentType: "image/jpeg" | "image/png" | "image/gif" | "image/webp";
            width: number;
            height: number;
            sha256: string;
            /** @description A thumbhash, base64. */
            placeholder: string | null;
            createdAt: components["schemas"]["Timestamp"];
        };
        ImageId: number;
        /**
         * Format: uri
         * @description Public URL: base URL of the deployment and key.
         */
        ImageUrl: string;
        /** Format: date-time */
        Timestamp: string;
        Removal: {
            id: components["schemas"]["RemovalId"];
            /**
             * Format: uri
             * @description Where the progress is read.
             */
            url: string;
            /**
             * @description `user` for an erasure.
             * @enum {unknown}
             */
            kind: "pictures" | "user";
            /** @enum {unknown} */
            state: "running" | "done";
            /** @description How many registered pictures there were. */
            total: number;
            /** @description How many of them are gone. */
            removed: number;
            createdAt: components["schemas"]["Timestamp"];
            finishedAt: components["schemas"]["Timestamp"] | null;
        };
        RemovalId: string;
        /** @description A JSON Web Token (RFC 7519). */
        Token: string;
        /** @description Seconds from now. */
        Seconds: number;
        FormName: string;
        Form: {
            formId: components["schemas"]["FormName"];
            /**
             * @description Whether the form takes pictures now.
             * @enum {unknown}
             */
            state: "not_yet_open" | "open" | "closed";
            /** @description When it was closed with `pictures=delete`. No picture is added until its policy is written again. */
            picturesDeletedAt: components["schemas"]["Timestamp"] | null;
            /** @description Default: all four. `image/webp` needs `image/jpeg` and `image/png` beside it, because large WebP pictures are stored as one of them. */
            accept: ("image/jpeg" | "image/png" | "image/gif" | "image/webp")[] | null;
            maxBytes: number | null;
            /** @description Pictures that one user may have in the form. */
            maxFilesPerUser: number | null;
            /** @description Pictures that the form takes. */
            maxFiles: number | null;
            maxEdge: number | null;
            quality: number | null;
            /** @description Of the upright stored picture, like `minHeight` and `aspectRatio`. */
            minWidth: number | null;
            minHeight: number | null;
            /** @description Width to height, within 1 %. */
            aspectRatio: string | null;
            /** @description Whether guests may upload. Default: `true`. */
            guests: boolean | null;
            /**
             * @description `private`: pictures are read with signed URLs only. Needs `URL_SIGNING_KEY`. Default: `public`.
             * @enum {unknown}
             */
            visibility: "public" | "private" | null;
            /**
             * @description `held`: pictures can be read with signed URLs only, until a reviewer releases them. Needs `URL_SIGNING_KEY`. Default: `none`.
             * @enum {unknown}
             */
            review: "none" | "held" | null;
            /**
             * @description `wait`: an upload waits up to 5 s for the answer of the back end (`serverData`).
             * @enum {unknown}
             */
            callback: "none" | "wait" | null;
            /** @description After how long an unclaimed picture expires, instead of `PENDING_S`. Only uploads of the roles in `PENDING_ROLES` are unclaimed at first. */
            pendingSeconds: number | null;
            opensAt: components["schemas"]["Timestamp"] | null;
            closesAt: components["schemas"]["Timestamp"] | null;
            createdAt: components["schemas"]["Timestamp"];
            updatedAt: components["schemas"]["Timestamp"];
        };
        FormPolicy: {
            /** @description Default: all four. `image/webp` needs `image/jpeg` and `image/png` beside it, because large WebP pictures are stored as one of them. */
            accept?: ("image/jpeg" | "image/png" | "image/gif" | "image/webp")[] | null;
            maxBytes?: number | null;
            /** @description Pictures that one user may have in the form. */
            maxFilesPerUser?: number | null;
            /** @description Pictures that the form takes. */
            maxFiles?: number | null;
            maxEdge?: number | null;
            quality?: number | null;
            /** @description Of the upright stored picture, like `minHeight` and `aspectRatio`. */
            minWidth?: number | null;
            minHeight?: number | null;
            /** @description Width to height, within 1 %. */
            aspectRatio?: string | null;
            /** @description Whether guests may upload. Default: `true`. */
            guests?: boolean | null;
            /**
             * @description `private`: pictures are read with signed URLs only. Needs `URL_SIGNING_KEY`. Default: `public`.
             * @enum {unknown}
             */
            visibility?: "public" | "private" | null;
            /**
             * @description `held`: pictures can be read with signed URLs only, until a reviewer releases them. Needs `URL_SIGNING_KEY`. Default: `none`.
             * @enum {unknown}
             */
            review?: "none" | "held" | null;
            /**
             * @description `wait`: an upload waits up to 5 s for the answer of the back end (`serverData`).
             * @enum {unknown}
             */
            callback?: "none" | "wait" | null;
            /** @description After how long an unclaimed picture expires, instead of `PENDING_S`. Only uploads of the roles in `PENDING_ROLES` are unclaimed at first. */
            pendingSeconds?: number | null;
            opensAt?: components["schemas"]["Timestamp"] | null;
            closesAt?: components["schemas"]["Timestamp"] | null;
        };
        /** @description All fields but `userId`, `images` and `nextCursor` are on the first page only. */
        Export: {
            userId: components["schemas"]["UserId"];
            account?: components["schemas"]["User"] | null;
            sessions?: {
                id: components["schemas"]["SessionId"];
                userAgent: string | null;
                createdAt: components["schemas"]["Timestamp"];
                usedAt: components["schemas"]["Timestamp"];
                expiresAt: components["schemas"]["Timestamp"];
                endedAt: components["schemas"]["Timestamp"] | null;
            }[];
            /** @description Links in mails that can still be opened. */
            links?: {
                /** @enum {unknown} */
                kind: "verify" | "reset";
                expiresAt: components["schemas"]["Timestamp"];
            }[];
            /** @description Accounts at providers with which the user signs in. */
            identities?: {
                issuer: string;
                subject: string;
                createdAt: components["schemas"]["Timestamp"];
            }[];
            imageCount?: number;
            pendingUploads?: {
                key: string;
                /** @enum {unknown} */
                state: "intent" | "registering" | "pending" | "claiming" | "removing";
                dueAt: components["schemas"]["Timestamp"];
                formId: string | null;
                originalFilename: string | null;
                fileSize: number | null;
            }[];
            /** @description What is left. */
            limits?: {
                rate: number;
                dailyCount: number;
                dailyBytes: number;
            };
            abuse?: {
                strikes: number;
                bannedUntil: components["schemas"]["Timestamp"] | null;
                banReason: string | null;
            };
            events?: {
                at: components["schemas"]["Timestamp"];
                kind: string;
                reason: string;
                until: components["schemas"]["Timestamp"] | null;
                detail: string | null;
            }[];
            /** @description Events about the user that your back end has not taken. */
            undeliveredEvents?: {
                id: string;
                createdAt: components["schemas"]["Timestamp"];
                /** @description As it is sent to the back end. */
                event: Record<string, never>;
            }[];
            images: components["schemas"]["Image"][];
            nextCursor: components["schemas"]["Cursor"] | null;
        };
        User: {
            id: components["schemas"]["UserId"];
            email: string;
            emailVerified: boolean;
            nickname: string | null;
            role: components["schemas"]["Role"];
            /**
             * Format: uri
             * @description A signed URL, valid for at least an hour, if only signed URLs can read the picture.
             */
            profileImageUrl: string | null;
            profileImageKey: components["schemas"]["Key"] | null;
            createdAt: components["schemas"]["Timestamp"];
        };
        /** @enum {unknown} */
        Role: "USER" | "GUEST" | "SERVICE" | "ADMIN";
        SessionId: string;
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    listImages: {
        parameters: {
            query?: {
                /** @description Only pictures of this form. */
                formId?: components["schemas"]["FormId"];
                /** @description Owner of the pictures. Default: the caller. */
                userId?: components["schemas"]["UserId"];
                /** @description `nextCursor` of the previous page. */
                cursor?: components["schemas"]["Cursor"];
                /** @description Entries per page. */
                limit?: number;
                /** @description Keys of pictures. Only without the other parameters. */
                key?: components["schemas"]["Key"][];
                /** @description Only pictures that wait for a review. */
                review?: "held";
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description One page. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        message: "list_images_success";
                        data: components["schemas"]["Images"];
                        timestamp: components["schemas"]["Timestamp"];
                    };
                };
            };
        };
    };
    deleteImageByKey: {
        parameters: {
            query: {
                /** @description Key of the picture. */
                key: components["schemas"]["Key"];
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Deleted. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        message: "delete_image_success";
                        data: {
                            /** @description An unclaimed picture has a number above 10^15. */
                            imageId: components["schemas"]["ImageId"];
                            key: components["schemas"]["Key"];
                        };
                        timestamp: components["schemas"]["Timestamp"];
                    };
                };
            };
            /** @description Accepted. The rest is deleted later and may be served until then. */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        message: "delete_image_success";
                        data: {
                            /** @description An unclaimed picture has a number above 10^15. */
                            imageId: components["schemas"]["ImageId"];
                            key: components["schemas"]["Key"];
                        };
                        timestamp: components["schemas"]["Timestamp"];
                    };
                };
            };
        };
    };
    registerImage: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** @description The picture, by `key`, by `imageUrl`, or by both if they match. */
        requestBody: {
            content: {
                "application/json": {
                    /** @description `data.key` of the upload response. */
                    key?: string | null;
                    /** @description The picture's URL on this host. */
                    imageUrl?: string | null;
                    /** @description Accepted but ignored: the ledger knows the size. */
                    fileSize?: unknown;
                    originalFilename?: string | null;
                    formId?: components["schemas"]["FormId"] | null;
                    /** @description The guest's token, if a guest uploaded the picture. */
                    guestToken?: string | null;
                    /** @description The new owner, which a `SERVICE` must send. Other callers may only send their own id. */
                    userId?: components["schemas"]["UserId"] | null;
                };
            };
        };
        responses: {
            /** @description The caller owns the picture already. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        message: "register_image_metadata_success";
                        data: {
                            imageId: components["schemas"]["ImageId"];
                            imageUrl: components["schemas"]["ImageUrl"];
                            key: components["schemas"]["Key"];
                            createdAt: components["schemas"]["Timestamp"];
                        };
                        timestamp: components["schemas"]["Timestamp"];
                    };
                };
            };
            /** @description Kept. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        message: "register_image_metadata_success";
                        data: {
                            imageId: components["schemas"]["ImageId"];
                            imageUrl: components["schemas"]["ImageUrl"];
                            key: components["schemas"]["Key"];
                            createdAt: components["schemas"]["Timestamp"];
                        };
                        timestamp: components["schemas"]["Timestamp"];
                    };
                };
            };
        };
    };
    deleteImages: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** @description What to delete: exactly one of the fields. */
        requestBody: {
            content: {
                "application/json": {
                    ids?: components["schemas"]["ImageId"][];
                    keys?: components["schemas"]["Key"][];
                    /** @description The pictures of this form that exist now, of all users. */
                    formId?: components["schemas"]["FormId"];
                    /** @description The pictures of this user that exist now. */
                    userId?: components["schemas"]["UserId"];
                };
            };
        };
        responses: {
            /** @description Begun. */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        message: "delete_images_success";
                        data: components["schemas"]["Removal"];
                        timestamp: components["schemas"]["Timestamp"];
                    };
                };
            };
        };
    };
    readImage: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Number of the picture. */
                id: components["schemas"]["ImageId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The record. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        message: "get_image_success";
                        data: components["schemas"]["Image"];
                        timestamp: components["schemas"]["Timestamp"];
                    };
                };
            };
        };
    };
    deleteImage: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Number of the picture. */
                id: components["schemas"]["ImageId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Deleted. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        message: "delete_image_success";
                        data: {
                            imageId: components["schemas"]["ImageId"];
                            key: components["schemas"]["Key"];
                        };
                        timestamp: components["schemas"]["Timestamp"];
                    };
                };
            };
            /** @description Accepted. The rest is deleted later and may be served until then. */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        message: "delete_image_success";
                        data: {
                            imageId: components["schemas"]["ImageId"];
                            key: components["schemas"]["Key"];
                        };
                        timestamp: components["schemas"]["Timestamp"];
                    };
                };
            };
        };
    };
    signImageUrl: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Number of the picture. */
                id: components["schemas"]["ImageId"];
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    /** @description Seconds, at most `SIGNED_URL_MAX_S`, which is 604,800 unless it is configured. Default: 3600. */
                    expiresIn?: number | null;
                    /**
                     * @description A smaller size.
                     * @enum {unknown}
                     */
                    v?: "thumb" | "small" | "medium" | null;
                    /** @description The largest width in pixels. */
                    w?: number | null;
                    /** @description The largest height in pixels. */
                    h?: number | null;
                    /**
                     * @description `cover` fills `w` and `h` with the middle of the picture.
                     * @enum {unknown}
                     */
                    fit?: "contain" | "cover" | null;
                    /** @description The highest quality. */
                    q?: number | null;
                    /**
                     * @description The format.
                     * @enum {unknown}
                     */
                    format?: "auto" | "jpeg" | "png" | "webp" | null;
                };
            };
        };
        responses: {
            /** @description The URL. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        message: "sign_image_url_success";
                        data: {
                            url: string;
                            expiresAt: components["schemas"]["Timestamp"] | null;
                        };
                        timestamp: components["schemas"]["Timestamp"];
                    };
                };
            };
        };
    };
    releaseImage: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Number of the picture. */
                id: components["schemas"]["ImageId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Released. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        message: "review_image_success";
                        data: {
                            imageId: components["schemas"]["ImageId"];
                            key: components["schemas"]["Key"];
                            /** @enum {unknown} */
                            review: "released" | "refused";
                            reviewReason: string | null;
                        };
                        timestamp: components["schemas"]["Timestamp"];
                    };
                };
            };
            /** @description Accepted. The database or the store did not answer; the rest is done later. */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        message: "review_image_success";
                        data: {
                            imageId: components["schemas"]["ImageId"];
                            key: components["schemas"]["Key"];
                            /** @enum {unknown} */
                            review: "released" | "refused";
                            reviewReason: string | null;
                        };
                        timestamp: components["schemas"]["Timestamp"];
                    };
                };
            };
        };
    };
    refuseImage: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Number of the picture. */
                id: components["schemas"]["ImageId"];
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    /** @description For the uploader. */
                    reason: string;
                };
            };
        };
        responses: {
            /** @description Refused. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        message: "review_image_success";
                        data: {
                            imageId: components["schemas"]["ImageId"];
                            key: components["schemas"]["Key"];
                            /** @enum {unknown} */
                            review: "released" | "refused";
                            reviewReason: string | null;
                        };
                        timestamp: components["schemas"]["Timestamp"];
                    };
                };
            };
            /** @description Accepted. The database or the store did not answer; the rest is done later. */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        message: "review_image_success";
                        data: {
                            imageId: components["schemas"]["ImageId"];
                            key: components["schemas"]["Key"];
                            /** @enum {unknown} */
                            review: "released" | "refused";
                            reviewReason: string | null;
                        };
                        timestamp: components["schemas"]["Timestamp"];
                    };
                };
            };
        };
    };
    readRemoval: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Id of the deletion or erasure. */
                removalId: components["schemas"]["RemovalId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The progress. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        message: "get_removal_success";
                        data: components["schemas"]["Removal"];
                        timestamp: components["schemas"]["Timestamp"];
                    };
                };
            };
        };
    };
    issueTicket: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** @description Restrictions of the ticket; `{}` for none. */
        requestBody: {
            content: {
                "application/json": {
                    formId?: components["schemas"]["FormId"] | null;
                    /** @enum {unknown} */
                    contentType?: "image/jpeg" | "image/png" | "image/gif" | "image/webp" | null;
                    maxBytes?: number | null;
                    userId?: components["schemas"]["UserId"] | null;
                };
            };
        };
        responses: {
            /** @description Issued. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        message: "issue_ticket_success";
                        data: {
                            ticket: components["schemas"]["Token"];
                            expiresIn: components["schemas"]["Seconds"];
                        };
                        timestamp: components["schemas"]["Timestamp"];
                    };
                };
            };
        };
    };
    listForms: {
        parameters: {
            query?: {
                /** @description `nextCursor` of the page before. */
                cursor?: components["schemas"]["FormName"];
                /** @description Forms per page. */
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        message: "list_forms_success";
                        data: {
                            forms: (components["schemas"]["Form"] & {
                                /** @description Registered pictures. 10,000 stands for 10,000 or more. */
                                imageCount: number;
                            })[];
                            nextCursor: components["schemas"]["FormName"] | null;
                        };
                        timestamp: components["schemas"]["Timestamp"];
                    };
                };
            };
        };
    };
    readForm: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Name of the form. */
                formId: components["schemas"]["FormName"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The policy. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        message: "get_form_success";
                        data: components["schemas"]["Form"];
                        timestamp: components["schemas"]["Timestamp"];
                    };
                };
            };
        };
    };
    putForm: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Name of the form. */
                formId: components["schemas"]["FormName"];
            };
            cookie?: never;
        };
        /** @description The policy. Unknown fields are refused. */
        requestBody: {
            content: {
                "application/json": components["schemas"]["FormPolicy"];
            };
        };
        responses: {
            /** @description Replaced. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        message: "put_form_success";
                        data: components["schemas"]["Form"];
                        timestamp: components["schemas"]["Timestamp"];
                    };
                };
            };
            /** @description Created. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        message: "put_form_success";
                        data: components["schemas"]["Form"];
                        timestamp: components["schemas"]["Timestamp"];
                    };
                };
            };
        };
    };
    closeForm: {
        parameters: {
            query?: {
                /** @description Also deletes the pictures. */
                pictures?: "delete";
            };
            header?: never;
            path: {
                /** @description Name of the form. */
                formId: components["schemas"]["FormName"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Closed. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        message: "close_form_success";
                        data: components["schemas"]["Form"];
                        timestamp: components["schemas"]["Timestamp"];
                    };
                };
            };
            /** @description Closed; with `pictures=delete`, the deletion has begun. */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        message: "close_form_success";
                        data: components["schemas"]["Removal"];
                        timestamp: components["schemas"]["Timestamp"];
                    };
                };
            };
        };
    };
    eraseUser: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description User id. */
                id: components["schemas"]["UserId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Begun. */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        message: "erase_user_success";
                        data: components["schemas"]["Removal"];
                        timestamp: components["schemas"]["Timestamp"];
                    };
                };
            };
        };
    };
    exportUser: {
        parameters: {
            query?: {
                /** @description `nextCursor` of the previous page. */
                cursor?: components["schemas"]["Cursor"];
            };
            header?: never;
            path: {
                /** @description User id. */
                id: components["schemas"]["UserId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description What is kept. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        message: "export_user_success";
                        data: components["schemas"]["Export"];
                        timestamp: components["schemas"]["Timestamp"];
                    };
                };
            };
        };
    };
}
