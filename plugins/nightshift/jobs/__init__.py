"""One asynchronous vendor job: submitted once, waited for, cancelled, whatever crashes in between."""
