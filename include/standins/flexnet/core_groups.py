"""The seven report groups that every version of the API has (section 3.6).

The ``account`` fields are those of section 3.7; all other fields are plausible, not the vendor's.
"""

from __future__ import annotations

from include.standins.flexnet.fields import (
    ACCOUNTS_A_DAY,
    CITIES,
    COMPANIES,
    COUNTRIES,
    FEATURES,
    PRODUCTS,
    Field,
    address,
    among,
    coded,
    day_around,
    decimal,
    earlier,
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
from include.standins.flexnet.group import Group, dated, flagged, key, listed, moment, number, real, text

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
