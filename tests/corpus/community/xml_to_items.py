import xml.etree.ElementTree as ET

root = ET.fromstring(items[0]['xml'])
return [{'id': int(entry.get('id')), 'title': entry.findtext('title')} for entry in root.iter('entry')]
