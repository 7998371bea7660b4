/** Asks before what cannot be undone, and says what went wrong. */
import { ElMessage, ElMessageBox } from 'element-plus';
import 'element-plus/theme-chalk/el-button.css';
import 'element-plus/theme-chalk/el-message-box.css';
import 'element-plus/theme-chalk/el-message.css';
import 'element-plus/theme-chalk/el-overlay.css';
import { problemOf } from './load';

export async function ifSure(
	question: string,
	action: string,
	act: () => Promise<unknown>,
	done: string,
): Promise<void> {
	try {
		await ElMessageBox.confirm(question, { confirmButtonText: action, cancelButtonText: 'Cancel' });
	} catch {
		return;
	}
	try {
		await act();
		ElMessage.success(done);
	} catch (error) {
		const { detail, hint } = problemOf(error);
		ElMessage.error([detail, hint].filter(Boolean).join(' '));
	}
}
