/**
 * The answers of the board's routes. Made from nightshift/board/models by `make docs`; changes here are overwritten.
 */

/**
 * @typedef {object} ApiCall
 * @property {"POST" | "PUT" | "PATCH"} method
 * @property {string} path
 * @property {Record<string, any>} body
 */

/**
 * @typedef {object} Ask
 * @property {string} name
 * @property {string} label
 * @property {"text" | "moment" | "choice"} kind
 * @property {Array<string>} choices
 * @property {boolean} optional
 */

/**
 * @typedef {object} AttemptLine
 * @property {string} run_id
 * @property {string} run_type
 * @property {string} state
 * @property {string | null} started
 * @property {string | null} ended
 * @property {number | null} seconds
 * @property {Record<string, string>} tasks
 * @property {string} by
 * @property {Array<Link>} links
 */

/** @typedef {"nights" | "promotions" | "figures" | "jobs" | "connections" | "incidents" | "holds" | "configuration" | "airflow"} BoardPart */

/**
 * @typedef {object} CellDetail
 * @property {string} source
 * @property {string} report
 * @property {string} night
 * @property {CellState} state
 * @property {CellNote} note
 * @property {number | null} rows
 * @property {number | null} published_rows
 * @property {number | null} bytes
 * @property {number | null} seconds
 * @property {number | null} usual
 * @property {number} usual_of
 * @property {string | null} published
 * @property {number | null} version
 * @property {number | null} replaced
 * @property {string | null} due
 * @property {Array<CheckLine>} checks
 * @property {boolean} checks_known
 * @property {TableLine | null} table
 * @property {ExtractLine | null} extract
 * @property {Array<AttemptLine>} attempts
 * @property {string | null} last_good
 * @property {Array<string>} depends
 * @property {Array<Link>} links
 * @property {Array<Press>} presses
 * @property {Array<Trouble>} troubles
 */

/**
 * @typedef {object} CellNote
 * @property {string | null} late_since
 * @property {boolean} running
 * @property {boolean} rebuilt
 * @property {Array<string>} added
 * @property {Array<string>} widened
 * @property {string} text
 */

/** @typedef {"published" | "rebuilt" | "empty" | "early" | "running" | "late" | "failed" | "drifted" | "unsound" | "unproven" | "never"} CellState */

/**
 * @typedef {object} CheckLine
 * @property {string} name
 * @property {boolean} ok
 * @property {string} detail
 */

/**
 * @typedef {object} ConnectionLine
 * @property {string} connection
 * @property {string} vendor
 * @property {string} type
 * @property {ConnectionState} state
 * @property {Seen | null} last_good
 * @property {Seen | null} last_error
 * @property {SignInLine | null} sign_in
 * @property {Array<string>} used_by
 * @property {Array<Link>} links
 * @property {Array<Press>} presses
 */

/** @typedef {"good" | "failing" | "unseen" | "missing"} ConnectionState */

/**
 * @typedef {object} ConnectionsAnswer
 * @property {string} now
 * @property {Array<ConnectionLine>} connections
 * @property {Array<Trouble>} troubles
 */

/**
 * @typedef {object} DoubtLine
 * @property {string} text
 * @property {Press} settle
 */

/**
 * @typedef {object} ExtractLine
 * @property {string} path
 * @property {number | null} pages
 * @property {number | null} rows
 * @property {number | null} bytes
 * @property {string | null} started
 * @property {string | null} finished
 * @property {number | null} attempt
 */

/**
 * @typedef {object} FigureLine
 * @property {string} key
 * @property {string} stage
 * @property {string} label
 * @property {number | null} value
 * @property {"count" | "ratio" | "seconds"} unit
 * @property {string} text
 * @property {Array<Link>} made_of
 */

/**
 * @typedef {object} FiguresAnswer
 * @property {string} now
 * @property {number} days
 * @property {string} since
 * @property {Array<FigureLine>} figures
 * @property {Array<Trouble>} troubles
 */

/**
 * @typedef {object} FreezeLine
 * @property {string} name
 * @property {string} begins
 * @property {string} ends
 * @property {boolean} on
 * @property {string} text
 */

/**
 * @typedef {object} HoldLine
 * @property {string} id
 * @property {string | null} application
 * @property {string} by
 * @property {string} reason
 * @property {string} since
 * @property {string | null} until
 * @property {Press | null} lift
 */

/**
 * @typedef {object} HoldRequest
 * @property {string | null} application
 * @property {string} reason
 * @property {string | null} until
 */

/**
 * @typedef {object} HoldsAnswer
 * @property {string} now
 * @property {Array<HoldLine>} holds
 * @property {Array<Press>} presses
 * @property {Array<Trouble>} troubles
 */

/**
 * @typedef {object} IncidentLine
 * @property {string} id
 * @property {string} kind
 * @property {string} subject
 * @property {string | null} night
 * @property {string} title
 * @property {string} cause
 * @property {string} advice
 * @property {string} since
 * @property {string | null} updated
 * @property {string | null} closed
 * @property {Array<string>} depends
 * @property {Array<Link>} links
 */

/**
 * @typedef {object} IncidentsAnswer
 * @property {string} now
 * @property {Array<IncidentLine>} incidents
 * @property {number | null} mean_seconds_to_restore
 * @property {string | null} watched
 * @property {Array<Trouble>} troubles
 */

/**
 * @typedef {object} JobLine
 * @property {string} vendor
 * @property {string} connection
 * @property {string} dag_id
 * @property {string} run_id
 * @property {string} task_id
 * @property {number} map_index
 * @property {string} subject
 * @property {string} job_id
 * @property {JobState} state
 * @property {string} vendor_state
 * @property {string} text
 * @property {string | null} asked
 * @property {number | null} waiting_seconds
 * @property {string | null} seen
 * @property {number | null} interval
 * @property {string | null} next_look
 * @property {string | null} deadline
 * @property {number} attempt
 * @property {string} doubt
 * @property {Array<Link>} links
 * @property {Array<Press>} presses
 */

/** @typedef {"queued" | "running" | "waiting" | "cancelling" | "unknown" | "succeeded" | "failed" | "cancelled" | "gone"} JobState */

/**
 * @typedef {object} JobsAnswer
 * @property {string} now
 * @property {Array<JobLine>} jobs
 * @property {Array<Trouble>} troubles
 */

/**
 * @typedef {object} Lane
 * @property {string} application
 * @property {string} dag_id
 * @property {string} description
 * @property {Array<string>} after
 * @property {Array<LaneStage>} stages
 * @property {Array<PromotionLine>} under_way
 * @property {PromotionLine | null} last
 * @property {Array<HoldLine>} holds
 * @property {Array<FreezeLine>} freezes
 * @property {Array<DoubtLine>} doubts
 * @property {string} mistake
 * @property {Array<Link>} links
 * @property {Array<Press>} presses
 */

/**
 * @typedef {object} LaneStage
 * @property {string} label
 * @property {StageState} state
 * @property {VersionShown | null} version
 * @property {string | null} since
 * @property {string | null} night
 * @property {string | null} run_id
 * @property {string} approved_by
 * @property {string} text
 * @property {string | null} soaks_until
 * @property {number} behind
 * @property {VersionShown | null} coming
 * @property {WaitLine | null} waiting
 * @property {Press | null} revoke
 * @property {Array<Link>} links
 */

/**
 * @typedef {object} Lanes
 * @property {string} now
 * @property {Array<Lane>} lanes
 * @property {Array<HoldLine>} holds
 * @property {Array<FreezeLine>} freezes
 * @property {Array<Press>} presses
 * @property {Array<Trouble>} troubles
 */

/**
 * @typedef {object} LiftRequest
 * @property {string} id
 * @property {string} reason
 */

/**
 * @typedef {object} LineTile
 * @property {boolean} moving
 * @property {Array<HoldLine>} holds
 * @property {Array<FreezeLine>} freezes
 */

/**
 * @typedef {object} Link
 * @property {string} label
 * @property {string} href
 */

/**
 * @typedef {object} NightTile
 * @property {string} night
 * @property {string | null} oldest
 * @property {number} reports
 * @property {Record<string, number>} states
 * @property {string | null} late_since
 */

/**
 * @typedef {object} NightsGrid
 * @property {string} now
 * @property {Array<string>} nights
 * @property {string} newest
 * @property {string | null} earlier
 * @property {Record<string, string>} timezones
 * @property {Array<ReportRow>} reports
 * @property {Array<Trouble>} troubles
 */

/**
 * @typedef {object} Overview
 * @property {string} now
 * @property {string} user
 * @property {string} version
 * @property {number} refresh
 * @property {Record<string, string>} timezones
 * @property {NightTile | null} night
 * @property {PromotionTile | null} promotions
 * @property {LineTile | null} line
 * @property {Array<FigureLine> | null} figures
 * @property {number | null} jobs
 * @property {number} jobs_in_doubt
 * @property {Array<string> | null} connections_failing
 * @property {Array<SignInTile> | null} sign_ins
 * @property {number | null} incidents_open
 * @property {string | null} watched
 * @property {Array<Press>} presses
 * @property {Array<Trouble>} troubles
 */

/**
 * @typedef {object} Press
 * @property {PressKind} kind
 * @property {string} label
 * @property {string} says
 * @property {Array<ApiCall>} calls
 * @property {Array<Ask>} asks
 * @property {boolean} allowed
 * @property {string} needs
 * @property {boolean} danger
 */

/** @typedef {"run" | "backfill" | "clear_publish" | "force" | "hold" | "lift" | "revoke" | "settle" | "test" | "adopt" | "resubmit" | "over" | "look" | "cancel"} PressKind */

/**
 * @typedef {object} Problem
 * @property {number} status
 * @property {string} title
 * @property {string} detail
 * @property {string} advice
 */

/**
 * @typedef {object} PromotionLine
 * @property {string} application
 * @property {string} run_id
 * @property {string | null} night
 * @property {string} by
 * @property {string} opened
 * @property {string | null} closed
 * @property {string | null} outcome
 * @property {string} reason
 * @property {VersionShown | null} version
 * @property {string | null} superseded_by
 * @property {WaitLine | null} waiting
 * @property {Array<StepLine>} steps
 * @property {Array<Link>} links
 */

/**
 * @typedef {object} PromotionTile
 * @property {number} under_way
 * @property {Array<WaitLine>} waiting
 * @property {Array<string>} failed
 */

/**
 * @typedef {object} ReportRow
 * @property {string} source
 * @property {string} report
 * @property {string} dag_id
 * @property {string} due
 * @property {string} due_timezone
 * @property {Array<CellState>} states
 * @property {Array<number | null>} rows
 * @property {Array<number | null>} shade
 * @property {Record<string, CellNote>} notes
 * @property {Array<string>} waited_for_by
 */

/**
 * @typedef {object} RevokeRequest
 * @property {string} application
 * @property {string} stage
 * @property {string} run_id
 * @property {number} version_id
 * @property {string} reason
 */

/**
 * @typedef {object} Revoked
 * @property {string} message
 */

/**
 * @typedef {object} Seen
 * @property {string} at
 * @property {string} dag_id
 * @property {string} run_id
 * @property {string} task_id
 * @property {string} kind
 * @property {string} text
 * @property {Array<Link>} links
 */

/**
 * @typedef {object} SettleRequest
 * @property {string} application
 * @property {string} run_id
 * @property {string} task
 * @property {string} reason
 */

/**
 * @typedef {object} Settled
 * @property {string} message
 */

/**
 * @typedef {object} SignInLine
 * @property {SignInState} state
 * @property {string} granted_by
 * @property {string | null} granted
 * @property {string | null} renewed
 * @property {string | null} ends
 * @property {Link} link
 */

/** @typedef {"granted" | "ends_soon" | "ended" | "never" | "unreadable" | "not_needed"} SignInState */

/**
 * @typedef {object} SignInTile
 * @property {string} connection
 * @property {SignInState} state
 * @property {string | null} ends
 */

/** @typedef {"never" | "deployed" | "verifying" | "verified" | "verification_failed" | "soaking" | "deploying" | "in_doubt" | "failed" | "rolled_back"} StageState */

/**
 * @typedef {object} StepLine
 * @property {string} task
 * @property {string} kind
 * @property {string | null} stage
 * @property {string} state
 * @property {string} started
 * @property {string | null} ended
 * @property {number} attempt
 * @property {string} outcome
 * @property {string} by
 * @property {VersionShown | null} version
 * @property {string} text
 * @property {Array<Link>} links
 */

/**
 * @typedef {object} TableLine
 * @property {string} path
 * @property {number | null} version
 * @property {number} nights
 * @property {number} rows
 */

/**
 * @typedef {object} TimeLine
 * @property {string} now
 * @property {Lane} lane
 * @property {Array<PromotionLine>} promotions
 * @property {string | null} before
 * @property {Array<Trouble>} troubles
 */

/**
 * @typedef {object} Trouble
 * @property {BoardPart} part
 * @property {string} of
 * @property {string} text
 */

/**
 * @typedef {object} VersionShown
 * @property {number} id
 * @property {string} name
 */

/** @typedef {"turn" | "approval" | "window" | "soak" | "verification" | "vendor"} WaitFor */

/**
 * @typedef {object} WaitLine
 * @property {WaitFor} kind
 * @property {string} text
 * @property {Array<string>} whom
 * @property {string | null} since
 * @property {string | null} until
 * @property {Link | null} link
 */

export {};
