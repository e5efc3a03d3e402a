"""Random operation sequences against a simple model beside the server."""
