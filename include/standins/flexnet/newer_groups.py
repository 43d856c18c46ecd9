"""The seven report groups that came later (section 3.6): plausible fields, not the vendor's. Their filter keys are not published."""

from __future__ import annotations

from include.standins.flexnet.fields import (
    COMPANIES,
    COUNTRIES,
    FEATURES,
    PRODUCTS,
    Field,
    among,
    coded,
    day_around,
    decimal,
    email,
    flag,
    linked_account,
    nested,
    one_of,
    person,
    several,
    sometimes,
    stamped,
    stamped_iso,
    version,
    whole,
)
from include.standins.flexnet.group import Group, dated, flagged, key, moment, number, real, text

USAGE = Group(
    "usage",
    "usageId",
    "USE",
    3000,
    (
        key("usageId"),
        text("accountId", linked_account),
        text("accountName", among(COMPANIES)),
        text("deviceId", coded("DEV")),
        text("userName", sometimes(email, 0.95)),
        text("productName", among(PRODUCTS)),
        text("productVersion", version),
        text("featureName", among(FEATURES)),
        text("featureVersion", version),
        text("licenseModel", one_of("CONCURRENT", "METERED", "ELASTIC")),
        number("quantity", whole(1, 64)),
        number("overage", whole(0, 3)),
        number("durationSeconds", whole(0, 86_400)),
        real("tokens", decimal(100.0, 4)),
        flagged("denied", flag(0.03)),
        text("country", among(COUNTRIES)),
        dated("usageDate", day_around(0, 0)),
        moment("checkoutTime", stamped),
        moment("checkinTime", sometimes(stamped_iso, 0.9)),
        Field(
            "attributes",
            "object",
            nested(project=coded("PRJ", 99), tags=several(one_of("night", "ci", "日本"), 2)),
            {"project": "string", "tags": "array"},
        ),
    ),
)

DOWNLOADS = Group(
    "downloads",
    "DownloadID",
    "DWN",
    250,
    (
        key("DownloadID"),
        text("FileID", coded("FILE", 999)),
        text("FileName", one_of("setup.exe", "Größe 2.zip", "安装.msi", "read me.txt")),
        text("UserName", email),
        text("AccountID", linked_account),
        number("Bytes", whole(0, 9_000_000_000)),
        flagged("Complete", flag(0.9)),
        moment("DownloadedOn", stamped),
    ),
)

FILES = Group(
    "files",
    "FileID",
    "FILE",
    40,
    (
        key("FileID"),
        text("FileName", one_of("setup.exe", "Größe 2.zip", "安装.msi", "read me.txt")),
        text("Version", version),
        number("Bytes", whole(0, 9_000_000_000)),
        text("Sha256", lambda draw, at: "".join(draw.hexadecimal(16) for _ in range(4))),
        dated("Published", day_around(300, 0)),
        moment("LastModified", stamped),
    ),
)

ENTITLEMENT_HISTORY = Group(
    "eh",
    "HistoryID",
    "EH",
    500,
    (
        key("HistoryID"),
        text("EntitlementID", coded("ENT-L")),
        text("Action", one_of("CREATED", "UPDATED", "MERGED", "SPLIT")),
        text("ActionBy", person),
        Field(
            "Before",
            "object",
            nested(State=one_of("DRAFT", "DEPLOYED"), Quantity=sometimes(whole(1, 100))),
            {"State": "string", "Quantity": "integer"},
        ),
        moment("ActionOn", stamped),
    ),
)

LINE_ITEM_HISTORY = Group(
    "lih",
    "LineItemHistoryID",
    "LIH",
    500,
    (
        key("LineItemHistoryID"),
        text("ActivationID", coded("ACT")),
        text("Action", one_of("CREATED", "RENEWED", "UPGRADED", "CANCELLED")),
        number("Quantity", whole(0, 1000)),
        real("PriceChange", lambda draw, at: round(draw.fraction() * 2000 - 1000, 2)),
        text("ActionBy", person),
        moment("ActionOn", stamped),
    ),
)

FEATURE = Group(
    "feature",
    "FeatureID",
    "FEA",
    60,
    (
        key("FeatureID"),
        text("FeatureName", among(FEATURES)),
        text("FeatureVersion", version),
        text("VersionFormat", one_of("FIXED", "DATE_BASED")),
        text("State", one_of("DRAFT", "DEPLOYED")),
        moment("LastModified", stamped),
    ),
)

LICENSE_MODEL = Group(
    "lmodel",
    "LicenseModelID",
    "LM",
    30,
    (
        key("LicenseModelID"),
        text("LicenseModelName", one_of("Embedded counted", "Floating", "Metered", "Node-locked")),
        text("LicenseTechnology", one_of("FLEXNET", "CLOUD")),
        flagged("Counted", flag()),
        Field(
            "Settings",
            "object",
            nested(borrowDays=sometimes(whole(0, 30)), graceDays=whole(0, 14)),
            {"borrowDays": "integer", "graceDays": "integer"},
        ),
        moment("LastModified", stamped),
    ),
)
