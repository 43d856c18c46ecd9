"""The fourteen report groups of section 3.6. The ``account`` fields are those of section 3.7; all others are plausible,
not the vendor's.
"""

from __future__ import annotations

from collections.abc import Mapping

from include.standins.flexnet.fields import (
    ACCOUNTS_A_DAY,
    CITIES,
    COMPANIES,
    COUNTRIES,
    FEATURES,
    PRODUCTS,
    Field,
    Group,
    address,
    among,
    coded,
    dated,
    day_around,
    decimal,
    earlier,
    email,
    flag,
    flagged,
    key,
    linked_account,
    listed,
    moment,
    nested,
    number,
    one_of,
    person,
    real,
    several,
    sometimes,
    stamped,
    stamped_iso,
    text,
    version,
    whole,
)

ACCOUNT = Group(
    "account",
    "AccountID",
    "ACC",
    ACCOUNTS_A_DAY,
    (
        key("AccountID"),
        text("AccountName", among(COMPANIES)),
        text("AccountDescription", sometimes(one_of("reseller", "key account\nsince 1999", "Größe: XL"), 0.4)),
        text("AccountType", one_of("CUSTOMER", "SELF_REGISTERED", "CHANNEL_PARTNER", "PUBLISHER", "UNKNOWN")),
        text("Address1", address),
        text("Address2", sometimes(address, 0.2)),
        text("City", among(CITIES)),
        text("Country", among(COUNTRIES)),
        text("PostalCode", coded("Z")),
        listed("ParentAccountIDs", several(linked_account, 3)),
        moment("LastModified", stamped),
    ),
    {"accountID": "AccountID", "accountName": "AccountName"},
)

DEVICE = Group(
    "device",
    "DeviceID",
    "DEV",
    1200,
    (
        key("DeviceID"),
        text("DeviceName", coded("host")),
        text("DeviceType", one_of("CLIENT", "SERVER", "VIRTUAL")),
        text("HostIDType", one_of("ETHERNET", "STRING", "PUBLISHER_DEFINED")),
        text("Status", one_of("ACTIVE", "RETURNED", "OBSOLETE")),
        text("DeviceAccountID", linked_account),
        text("DeviceAccountName", among(COMPANIES)),
        text("DeviceUserEmail", sometimes(email)),
        text("SiteName", sometimes(among(CITIES), 0.6)),
        text("EntitlementID", coded("ENT-L")),
        text("ActivationID", coded("ACT")),
        text("ProductName", among(PRODUCTS)),
        text("PartNumber", coded("PN", 999)),
        number("Copies", whole(1, 500)),
        real("Load", decimal(1.0, 6)),
        flagged("Virtual", flag(0.3)),
        moment("LastSync", sometimes(earlier)),
        moment("LastModified", stamped),
    ),
    {
        "deviceName": "DeviceName",
        "deviceID": "DeviceID",
        "accountID": "DeviceAccountID",
        "accountName": "DeviceAccountName",
        "entitlementID": "EntitlementID",
        "activationID": "ActivationID",
        "productName": "ProductName",
        "partNumber": "PartNumber",
        "deviceUserEmail": "DeviceUserEmail",
        "siteName": "SiteName",
    },
)

SERVED_DEVICE = Group(
    "served-device",
    "ServedDeviceID",
    "SDV",
    800,
    (
        key("ServedDeviceID"),
        text("ServedClientHostID", coded("HID")),
        text("ServerDeviceID", coded("DEV")),
        text("AccountID", linked_account),
        text("AccountName", among(COMPANIES)),
        text("SiteName", sometimes(among(CITIES), 0.6)),
        text("FeatureName", among(FEATURES)),
        number("FeatureCount", whole(0, 64)),
        dated("Expires", sometimes(day_around(0, 400))),
        moment("LastModified", stamped_iso),
    ),
    {
        "accountID": "AccountID",
        "accountName": "AccountName",
        "siteName": "SiteName",
        "servedClientHostID": "ServedClientHostID",
    },
)

ENTITLEMENT = Group(
    "entitlement",
    "EntitlementID",
    "ENT",
    900,
    (
        key("EntitlementID"),
        text("State", one_of("DEPLOYED", "DRAFT", "INACTIVE", "OBSOLETE")),
        text("EntitlementType", one_of("SIMPLE", "BULK")),
        text("ActivationID", coded("ACT")),
        text("ProductName", among(PRODUCTS)),
        text("ProductVersion", version),
        text("PartNumber", coded("PN", 999)),
        number("Quantity", whole(1, 10_000)),
        number("RemainingQuantity", whole(0, 10_000)),
        real("Amount", decimal(250_000.0, 2)),
        flagged("Permanent", flag(0.2)),
        dated("StartDate", day_around(700, 0)),
        dated("ExpirationDate", sometimes(day_around(30, 700))),
        text(
            "Notes", sometimes(one_of("renewal, pending", 'says "urgent"', "first line\r\nsecond line", "٪ خصم"), 0.3)
        ),
        Field(
            "CustomersAndPartners",
            "object",
            nested(
                EndCustomerAccountID=linked_account,
                EndCustomerAccountName=among(COMPANIES),
                PartnerAccountIDs=several(linked_account, 2),
            ),
            {"EndCustomerAccountID": "string", "EndCustomerAccountName": "string", "PartnerAccountIDs": "array"},
        ),
        moment("CreatedOn", earlier),
        moment("LastModified", stamped),
    ),
    {
        "entitlementID": "EntitlementID",
        "activationID": "ActivationID",
        "productName": "ProductName",
        "partNumber": "PartNumber",
        "accountID": "CustomersAndPartners.EndCustomerAccountID",
        "accountName": "CustomersAndPartners.EndCustomerAccountName",
    },
)

FULFILLMENT = Group(
    "fulfillment",
    "FulfillmentID",
    "FUL",
    600,
    (
        key("FulfillmentID"),
        text("ActivationID", coded("ACT")),
        text("ProductName", among(PRODUCTS)),
        text("PartNumber", coded("PN", 999)),
        text("AccountID", linked_account),
        text("AccountName", among(COMPANIES)),
        text("HostEntityID", coded("HOST")),
        text("LifeCycleStatus", one_of("ACTIVE", "RETURNED", "REHOSTED", "EMERGENCY")),
        number("Count", whole(1, 100)),
        moment("FulfilledOn", earlier),
        dated("ExpirationDate", sometimes(day_around(0, 700))),
        moment("LastModified", stamped),
    ),
    {
        "fulfillmentID": "FulfillmentID",
        "activationID": "ActivationID",
        "productName": "ProductName",
        "partNumber": "PartNumber",
        "accountID": "AccountID",
        "accountName": "AccountName",
        "hostEntityID": "HostEntityID",
    },
)

PRODUCT_FEATURE = Group(
    "product-feature",
    "ProductFeatureID",
    "PFT",
    300,
    (
        key("ProductFeatureID"),
        text("ProductName", among(PRODUCTS)),
        text("ProductVersion", version),
        text("FeatureName", among(FEATURES)),
        text("FeatureVersion", version),
        number("Count", whole(1, 10)),
        flagged("Deployed", flag(0.9)),
        moment("LastModified", stamped),
    ),
    {
        "productName": "ProductName",
        "productVersion": "ProductVersion",
        "featureName": "FeatureName",
        "featureVersion": "FeatureVersion",
    },
)

USER = Group(
    "user",
    "UserID",
    "USR",
    400,
    (
        key("UserID"),
        text("UserName", email),
        text("DisplayName", person),
        text("Email", email),
        text("AccountID", linked_account),
        text("AccountName", among(COMPANIES)),
        listed("Roles", several(one_of("admin", "viewer", "buyer"), 2)),
        flagged("Active", flag(0.85)),
        moment("LastLogin", sometimes(earlier)),
        moment("LastModified", stamped),
    ),
    {
        "userName": "UserName",
        "displayName": "DisplayName",
        "email": "Email",
        "accountID": "AccountID",
        "accountName": "AccountName",
    },
)


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


GROUPS: Mapping[str, Group] = {
    group.name: group
    for group in (
        ACCOUNT,
        DEVICE,
        SERVED_DEVICE,
        ENTITLEMENT,
        FULFILLMENT,
        PRODUCT_FEATURE,
        USER,
        USAGE,
        DOWNLOADS,
        FILES,
        ENTITLEMENT_HISTORY,
        LINE_ITEM_HISTORY,
        FEATURE,
        LICENSE_MODEL,
    )
}
KEYS: Mapping[str, str] = {name: group.key for name, group in GROUPS.items()}
"""Group → the field that is unique in it."""
