"""Has REDbot look at addresses and prints, as JSON, what it notes at each: one list of notes an address and method.

Reads a JSON list of {"name", "url", "method"?, "headers"?} from stdin; driving the library is what lets HEAD be asked, too.
What a note means, and whether it matters, is judged by http.test.mjs.
"""

import json
import sys
from configparser import ConfigParser

import thor
from redbot.resource import HttpResource


def configuration():
    parser = ConfigParser()
    # Without it REDbot refuses to look at this machine.
    parser.read_dict({"redbot": {"enable_local_access": "True"}})
    return parser["redbot"]


def notes_of(resource):
    """The notes of the answer itself and those of the further requests that were made to probe it."""
    sources = [(resource.check_name, resource)]
    sources += [(check.check_name, check) for check in resource.subreqs.values() if check.fetch_started]
    for check, source in sources:
        for note in source.response.notes:
            level = note.level.name if hasattr(note.level, "name") else str(note.level)
            yield {
                "check": check,
                "level": level,
                "note": type(note).__name__,
                "subject": note.subject,
                "summary": note.show_summary("en") if callable(getattr(note, "show_summary", None)) else str(note.summary),
            }


def told_of(task, resource):
    return {
        "name": task["name"],
        "status": resource.response.status_code,
        "error": resource.fetch_error and resource.fetch_error.desc,
        "requests": 1 + sum(1 for check in resource.subreqs.values() if check.fetch_started),
        # None where it had nothing to try it on.
        "supports": {
            "range": resource.partial_support,
            "ifNoneMatch": resource.inm_support,
            "ifModifiedSince": resource.ims_support,
            "gzip": resource.gzip_support,
        },
        "notes": list(notes_of(resource)),
    }


def look(config, tasks):
    """One after the other in one loop, which cannot be started twice."""
    told = []

    def next_task():
        if len(told) == len(tasks):
            return thor.stop()
        task = tasks[len(told)]
        resource = HttpResource(config)
        resource.set_request(task["url"], task.get("method", "GET"), list(task.get("headers", {}).items()))

        @thor.events.on(resource)
        def check_done():
            told.append(told_of(task, resource))
            thor.schedule(0, next_task)

        resource.check()

    thor.schedule(0, next_task)
    thor.run()
    return told


if __name__ == "__main__":
    json.dump(look(configuration(), json.load(sys.stdin)), sys.stdout, default=str)  # some texts are translated only when written
