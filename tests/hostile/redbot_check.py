"""Runs REDbot on a list of URLs and prints its notes as JSON, one result for each URL and method.

Reads a JSON list of {"name", "url", "method"?, "headers"?} from stdin. It uses the library, because the command line cannot
send HEAD. http.test.mjs decides which notes are accepted.
"""

import json
import sys
from configparser import ConfigParser

import thor
from redbot.resource import HttpResource


def configuration():
    parser = ConfigParser()
    # REDbot refuses local addresses without this setting.
    parser.read_dict({"redbot": {"enable_local_access": "True"}})
    return parser["redbot"]


def notes_of(resource):
    """The notes on the response and on the further requests that REDbot makes to probe it."""
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


def result_of(task, resource):
    return {
        "name": task["name"],
        "status": resource.response.status_code,
        "error": resource.fetch_error and resource.fetch_error.desc,
        "requests": 1 + sum(1 for check in resource.subreqs.values() if check.fetch_started),
        # None when REDbot had nothing to test.
        "supports": {
            "range": resource.partial_support,
            "ifNoneMatch": resource.inm_support,
            "ifModifiedSince": resource.ims_support,
            "gzip": resource.gzip_support,
        },
        "notes": list(notes_of(resource)),
    }


def check_all(config, tasks):
    """Checks in sequence in one event loop, because thor's loop cannot be started twice."""
    results = []

    def next_task():
        if len(results) == len(tasks):
            return thor.stop()
        task = tasks[len(results)]
        resource = HttpResource(config)
        resource.set_request(task["url"], task.get("method", "GET"), list(task.get("headers", {}).items()))

        @thor.events.on(resource)
        def check_done():
            results.append(result_of(task, resource))
            thor.schedule(0, next_task)

        resource.check()

    thor.schedule(0, next_task)
    thor.run()
    return results


if __name__ == "__main__":
    json.dump(check_all(configuration(), json.load(sys.stdin)), sys.stdout, default=str)  # REDbot translates some texts only when they are written
