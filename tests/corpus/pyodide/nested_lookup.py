def primary(user):
    for email in user.emails:
        if email.primary:
            return email.address
    return None


return [{"json": {"email": primary(item.json.user)}} for item in _input.all()]
