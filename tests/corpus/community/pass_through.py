# nothing to do yet
return items
