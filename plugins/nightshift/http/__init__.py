"""The one HTTP client of all vendors; a vendor's hook begins with :class:`nightshift.http.hook.VendorHook`."""
