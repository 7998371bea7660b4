import hashlib
import hmac

secret = b"secret"

for item in _items:
    digest = hmac.new(secret, item["json"]["body"].encode(), hashlib.sha256).hexdigest()
    item["json"]["valid"] = hmac.compare_digest("sha256=" + digest, item["json"]["signature"])

return _items
